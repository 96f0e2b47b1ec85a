"""The program: commands found by the table, options that every command has."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command as build_command

import mtlsearch
from mtlsearch.cli._errors import guarded
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._table import COMMANDS, Command

SHARED = ("verbose", "quiet", "debug", "plugins")
"""Options that may stand before or behind the command's name."""


class _Commands(TyperGroup):
    """A group whose commands are imported when they are asked for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._table = {command.name: command for command in COMMANDS}
        self.commands = dict.fromkeys(self._table, cast(Any, None))  # names to suggest

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command, imported now."""
        entry = self._table.get(cmd_name)
        return None if entry is None else _load(entry, self.params)


def _load(entry: Command, options: Sequence[Any]) -> Any:
    function = getattr(importlib.import_module(entry.module), entry.name)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(entry.name, rich_help_panel=entry.panel)(guarded(function))
    command = build_command(app)
    command.params += [_twin(option) for option in options if option.name in SHARED]
    return command


def _twin(option: Any) -> Any:
    """The same option behind the command's name."""
    twin = copy.copy(option)
    twin.expose_value = False
    twin.callback = _merge
    return twin


def _merge(ctx: typer.Context, option: Any, value: Any) -> Any:
    shell = Shell.of(ctx)
    if option.name == "plugins":
        shell.plugins = (*shell.plugins, *(value or ()))
    elif value:
        setattr(shell, option.name, True)
    return value


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mtlsearch {mtlsearch.__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    ctx: typer.Context,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say nothing but results and errors.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    plugins: Annotated[
        list[Path] | None,
        typer.Option("--plugins", metavar="DIR", help="Load plugins from a folder as well."),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Say the version."),
    ] = False,
) -> None:
    """Find out which layers of a vision backbone several tasks should share.

    The first search: mtlsearch init DIR, then mtlsearch search DIR/run.yaml.
    """
    ctx.obj = Shell(verbose, quiet, debug, tuple(plugins or ()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; see :mod:`mtlsearch.cli` for the exit codes.

    Args:
        arguments: what stands behind ``mtlsearch``; by default the process's own.
    """
    app(args=None if arguments is None else list(arguments), prog_name="mtlsearch")
