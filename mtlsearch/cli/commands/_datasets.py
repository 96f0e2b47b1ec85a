"""``mtlsearch datasets``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtlsearch.cli._context import open_catalog
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._listing import list_or_show
from mtlsearch.cli._settings_table import Row, settings_rows

if TYPE_CHECKING:
    from mtlsearch.plugin import DatasetSource


def datasets(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Show the settings of this one.")] = None,
) -> None:
    """List the data set sources, or the settings of one."""
    shell = Shell.of(ctx)
    registry = open_catalog(shell)
    list_or_show(registry.datasets, registry.dataset, name, registry, shell.console, beside=_root)


def _root(source: type[DatasetSource[Any]]) -> Iterator[Row]:
    """The folder, which the host looks for; a source without files has none."""
    from mtlsearch.config import SourceEntry

    return (row for row in settings_rows(SourceEntry) if row[0] == "root" and not source.generated)
