"""Errors become exit codes here, and nowhere else."""

from __future__ import annotations

import errno
import functools
import os
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import typer

from mtlsearch.cli._global_options import Shell
from mtlsearch.errors import ConfigError, MtlsearchError, UnknownNameError

FAILED, ASKED_WRONGLY, BUG, STOPPED = 1, 2, 70, 130

OF_THE_PATH = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EPERM,
    errno.EROFS,
}
"""Reasons of the operating system that another path, or a change to this one, does away with."""


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
            if (unusable := _unusable_path(error)) is not None:
                _show(unusable, shell)
                raise typer.Exit(_code(unusable)) from error
            # Whatever else comes is a mistake of ours or of a plugin: say so, hide nothing.
            _show_bug(error, shell)
            raise typer.Exit(BUG) from error

    return run


def _code(error: MtlsearchError) -> int:
    return ASKED_WRONGLY if isinstance(error, ConfigError | UnknownNameError) else FAILED


def _unusable_path(error: Exception) -> MtlsearchError | None:
    """What to say of a path that the operating system refuses; None of any other failure."""
    if not isinstance(error, OSError) or error.errno not in OF_THE_PATH:
        return None
    path = error.filename if error.filename2 is None else error.filename2
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        return None
    found = MtlsearchError(
        f"cannot read or write here: {error.strerror}",
        where=os.fspath(path),
        next_step="choose another path, or mend this one; --debug shows where it was needed",
    )
    found.__cause__ = error  # for --debug
    return found


def _show(error: MtlsearchError, shell: Shell) -> None:
    if shell.debug:
        traceback.print_exception(error)
    shell.console.error(str(error))


def _show_bug(error: Exception, shell: Shell) -> None:
    if shell.debug:
        traceback.print_exception(error)
    lines = [f"{type(error).__name__}: {error}"]
    place = _in_plugin(error)
    if place is None:
        lines.append("  this is a mistake in mtlsearch or a plugin")
    else:
        lines += [f"  where:   {place}", "  this is a mistake in that plugin"]
    if not shell.debug:
        lines.append("  next:    --debug shows the traceback")
    shell.console.error("\n".join(lines))


def _in_plugin(error: Exception) -> str | None:
    """The innermost place within a plugin that the error came through; None where there is none."""
    from mtlsearch.registry import is_of_plugin

    places = [
        f"{frame.f_code.co_filename}:{line}, in {frame.f_code.co_qualname}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_of_plugin(frame.f_globals.get("__name__", ""))
    ]
    return places[-1] if places else None
