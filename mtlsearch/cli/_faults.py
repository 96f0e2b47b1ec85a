"""Errors become exit codes here, and nowhere else."""

from __future__ import annotations

import functools
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import typer

from mtlsearch.cli._shell import Shell
from mtlsearch.errors import ConfigError, MtlsearchError, UnknownNameError

FAILED, ASKED_WRONGLY, BUG, STOPPED = 1, 2, 70, 130


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The same command; what it raises becomes a few lines and an exit code."""

    @functools.wraps(command)
    def run(ctx: typer.Context, **options: Any) -> None:
        shell = Shell.of(ctx)
        shell.set_up_logging()
        try:
            with warnings.catch_warnings():
                if not shell.verbose and not shell.debug:
                    warnings.simplefilter("ignore")  # those of libraries; -v shows them
                command(ctx, **options)
        except KeyboardInterrupt as stop:
            shell.console.stopped(str(stop) or "by Ctrl-C")
            raise typer.Exit(STOPPED) from stop
        except MtlsearchError as error:
            _show(error, shell)
            raise typer.Exit(_code(error)) from error
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            # Whatever else comes is a mistake of ours or of a plugin: say so, hide nothing.
            _show_bug(error, shell)
            raise typer.Exit(BUG) from error

    return run


def _code(error: MtlsearchError) -> int:
    return ASKED_WRONGLY if isinstance(error, ConfigError | UnknownNameError) else FAILED


def _show(error: MtlsearchError, shell: Shell) -> None:
    if shell.debug:
        traceback.print_exception(error)
    shell.console.error(str(error))


def _show_bug(error: Exception, shell: Shell) -> None:
    if shell.debug:
        traceback.print_exception(error)
    lines = [f"{type(error).__name__}: {error}", "  this is a mistake in mtlsearch or a plugin"]
    if not shell.debug:
        lines.append("  next:    --debug shows the traceback")
    shell.console.error("\n".join(lines))
