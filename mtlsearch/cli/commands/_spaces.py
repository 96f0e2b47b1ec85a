"""``mtlsearch spaces``."""

from __future__ import annotations

from typing import Annotated

import typer

from mtlsearch.cli._context import open_catalog
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._listing import list_or_show


def spaces(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Show the settings of this one.")] = None,
) -> None:
    """List the search spaces, or the settings of one."""
    shell = Shell.of(ctx)
    registry = open_catalog(shell)
    list_or_show(registry.spaces, registry.space, name, registry, shell.console)
