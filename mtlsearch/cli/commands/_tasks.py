"""``mtlsearch tasks``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtlsearch.cli._context import open_catalog
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._listing import list_or_show
from mtlsearch.cli._settings_table import Row, settings_rows

if TYPE_CHECKING:
    from mtlsearch.plugin import Task


def tasks(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Show the settings of this one.")] = None,
) -> None:
    """List the task kinds, or the settings of one."""
    shell = Shell.of(ctx)
    registry = open_catalog(shell)
    list_or_show(registry.tasks, registry.task, name, registry, shell.console, _forms, _label)


def _forms(kind: type[Task[Any]]) -> str:
    forms = ", ".join(form.value for form in kind.accepts)
    return f"It learns labels of the form {forms}."


def _label(kind: type[Task[Any]]) -> Iterator[Row]:
    from mtlsearch.config import TaskEntry

    return (row for row in settings_rows(TaskEntry) if row[0] == "label")
