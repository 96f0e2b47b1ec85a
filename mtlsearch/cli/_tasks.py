"""``mtlsearch tasks``."""

from __future__ import annotations

from typing import Annotated

import typer

from mtlsearch.cli._listing import show_all, show_one
from mtlsearch.cli._opening import open_catalog
from mtlsearch.cli._shell import Shell


def tasks(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Show the settings of this one.")] = None,
) -> None:
    """List the task kinds, or the settings of one."""
    shell = Shell.of(ctx)
    catalog = open_catalog(shell)
    if name is None:
        show_all(catalog.tasks, catalog, shell.console)
        return
    kind = catalog.task(name)
    forms = ", ".join(form.value for form in kind.accepts)
    show_one(kind, name, shell.console, f"It learns labels of the form {forms}.")
