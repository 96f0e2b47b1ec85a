"""Errors turned into messages and exit codes."""

from __future__ import annotations

import functools
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import typer

from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._path_errors import path_error_of
from mtlsearch.errors import (
    ConfigError,
    InfrastructureError,
    MtlsearchError,
    UnknownNameError,
    infrastructure_error_of,
    is_interrupt,
)

FAILURE, WRONG_INPUT, BUG, TRY_AGAIN, INTERRUPTED = 1, 2, 70, 75, 130


def handle_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command: its errors become a few lines and an exit code.

    Args:
        command: function of a command.

    Returns:
        A function of the same signature that raises ``typer.Exit`` in place of errors.
    """

    @functools.wraps(command)
    def run(ctx: typer.Context, **arguments: Any) -> None:
        options = GlobalOptions.of(ctx)
        options.set_up_logging()
        try:
            with warnings.catch_warnings():
                if not options.verbose and not options.debug:
                    warnings.simplefilter("ignore")  # warnings of libraries; -v shows them
                command(ctx, **arguments)
        except KeyboardInterrupt as stop:
            options.console.interrupted(str(stop) or "by Ctrl-C")
            raise typer.Exit(INTERRUPTED) from stop
        except MtlsearchError as error:
            raise typer.Exit(report_error(error, options)) from error
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except (Exception, SystemExit) as error:
            if is_interrupt(error):  # a library replaced the interrupt by its own error
                options.console.interrupted("by Ctrl-C")
                raise typer.Exit(INTERRUPTED) from error
            cause = path_error_of(error, ctx) or infrastructure_error_of(error)
            if cause is not None:
                raise typer.Exit(report_error(cause, options)) from error
            # Any other error is a bug in mtlsearch or in a plugin: report it, hide nothing.
            _show_bug(error, options)
            raise typer.Exit(BUG) from error

    return run


def exit_code(error: MtlsearchError) -> int:
    """Return the exit code of an error: 2 for wrong input, 75 for a full disk and such, else 1."""
    if isinstance(error, InfrastructureError):
        return TRY_AGAIN
    return WRONG_INPUT if isinstance(error, ConfigError | UnknownNameError) else FAILURE


def report_error(error: MtlsearchError, options: GlobalOptions) -> int:
    """Print an error and return its exit code."""
    show_error(error, options)
    return exit_code(error)


def show_error(error: MtlsearchError, options: GlobalOptions) -> None:
    """Print the message of an error, with ``--debug`` after its traceback."""
    if options.debug:
        traceback.print_exception(error)
    options.console.error(str(error))


def _show_bug(error: Exception | SystemExit, options: GlobalOptions) -> None:
    if options.debug:
        traceback.print_exception(error)
    lines = [f"{type(error).__name__}: {error}"]
    if isinstance(error, SystemExit):
        lines = [f"the program was ended by its code: sys.exit({error.code!r})"]
    place = _place_in_plugin(error)
    if place is None:
        lines.append("  this is a bug in mtlsearch or in a plugin")
    else:
        lines += [f"  where:   {place}", "  this is a bug in that plugin"]
    if not options.debug:
        lines.append("  next:    --debug shows the traceback")
    options.console.error("\n".join(lines))


def _place_in_plugin(error: BaseException) -> str | None:
    """Return file, line and function of the innermost plugin frame; None without one."""
    from mtlsearch.registry import is_of_plugin

    places = [
        f"{frame.f_code.co_filename}:{line}, in {frame.f_code.co_qualname}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_of_plugin(frame.f_globals.get("__name__", ""))
    ]
    return places[-1] if places else None
