"""``mtlsearch datasets``."""

from __future__ import annotations

from typing import Annotated

import typer

from mtlsearch.cli._listing import list_or_show
from mtlsearch.cli._opening import open_catalog
from mtlsearch.cli._shell import Shell


def datasets(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Show the settings of this one.")] = None,
) -> None:
    """List the data set sources, or the settings of one."""
    shell = Shell.of(ctx)
    catalog = open_catalog(shell)
    list_or_show(catalog.datasets, catalog.dataset, name, catalog, shell.console)
