"""Command line program: commands from the table and the options that all of them have."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.main import get_command as build_command

import mtlsearch
from mtlsearch.cli._errors import WRONG_INPUT, handle_errors, report_error
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._help import PlainCommand, PlainGroup, help_text
from mtlsearch.cli._table import COMMANDS, RENAMED, Command
from mtlsearch.cli._usage import usage_error
from mtlsearch.errors import ConfigError, MtlsearchError, did_you_mean

EVERYWHERE = ("verbose", "quiet", "debug", "plugins")
"""Options that may precede or follow the command's name."""


class _Commands(PlainGroup):
    """Group that imports a command when it is used."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._table = {command.name: command for command in COMMANDS}
        self.commands = dict.fromkeys(self._table, cast(Any, None))  # names to suggest

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return a command; refuse a renamed one with its new name."""
        entry = self._table.get(cmd_name)
        if entry is None and not ctx.resilient_parsing and not cmd_name.startswith("-"):
            raise _unknown_command(cmd_name)
        return None if entry is None else _load(entry, self.params)


def _unknown_command(name: str) -> ConfigError:
    names = [command.name for command in COMMANDS]
    if name in RENAMED:
        return ConfigError(
            f"`mtlsearch {name}` is now `mtlsearch {RENAMED[name]}`", where="mtlsearch"
        )
    return ConfigError(
        f"unknown command {name!r}{did_you_mean(name, names)}",
        where="mtlsearch",
        allowed=names,
        next_step="`mtlsearch --help` describes the commands",
    )


def _load(entry: Command, options: Sequence[Any]) -> Any:
    function = getattr(importlib.import_module(entry.module), entry.function)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(
        entry.name, cls=PlainCommand, help=help_text(function), rich_help_panel=entry.panel
    )(handle_errors(function))
    command = build_command(app)
    command.params += [_copy_option(option) for option in options if option.name in EVERYWHERE]
    return command


def _copy_option(option: Any) -> Any:
    """Return the same option for use after the command's name."""
    duplicate = copy.copy(option)
    duplicate.expose_value = False
    duplicate.callback = _merge
    return duplicate


def _merge(ctx: typer.Context, option: Any, value: Any) -> Any:
    options = GlobalOptions.of(ctx)
    if option.name == "plugins":
        options.plugins = (*options.plugins, *(value or ()))
    elif value:
        setattr(options, option.name, True)
    return value


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"mtlsearch {mtlsearch.__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_Commands,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def set_global_options(
    ctx: typer.Context,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Verbose output.")] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Only print results and errors.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    plugins: Annotated[
        list[Path] | None,
        typer.Option("--plugins", metavar="DIR", help="Load plugins from a folder. Repeatable."),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Search which layers of a vision backbone several tasks should share.

    To start: mtlsearch init DIR, then mtlsearch search DIR/run.yaml.
    """
    ctx.obj = GlobalOptions(verbose, quiet, debug, tuple(plugins or ()))


def run(arguments: Sequence[str] | None) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: arguments after ``mtlsearch``; None for those of the process.
    """
    texts = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = app(args=texts or ["--help"], prog_name="mtlsearch", standalone_mode=False)
    except MtlsearchError as error:
        return report_error(error, GlobalOptions())
    except typer.TyperException as error:
        return report_error(usage_error(error), GlobalOptions())
    # Typer returns None after success.
    return int(code or 0) if texts else WRONG_INPUT
