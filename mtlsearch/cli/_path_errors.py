"""Paths that the operating system refuses, with the option that names them and the fix."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from mtlsearch.errors import MtlsearchError

PERMISSION = "permission denied"
NO_SPACE = "no space is left on the disk"

REASONS = {
    errno.EACCES: PERMISSION,
    errno.EDQUOT: NO_SPACE,
    errno.EEXIST: "it exists and is not a folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.ELOOP: "its links form a loop",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOENT: "it does not exist",
    errno.ENOSPC: NO_SPACE,
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.ENOTEMPTY: "the folder is not empty",
    errno.EPERM: PERMISSION,
    errno.EROFS: "the disk is read-only",
}
"""Errors that the user can resolve by another path or by a change to this path."""

OUTPUTS = ("out", "plot", "target")
"""Parameters of commands that name a path to write."""


def path_error_of(error: BaseException, ctx: Any) -> MtlsearchError | None:
    """Return the message about a path that the operating system refuses.

    Args:
        error: the error of a command.
        ctx: context of the command, with the values of its options.

    Returns:
        The error with the option, the path and the fix; None if it is of another kind.
    """
    if not isinstance(error, OSError) or error.errno not in REASONS:
        return None
    name = error.filename if error.filename2 is None else error.filename2
    if not isinstance(name, str | os.PathLike) or not os.fspath(name):
        return None
    path, reason = Path(os.fspath(name)), REASONS[error.errno]
    option, value = _option_of(path, ctx)
    is_output = option is None or option.name in OUTPUTS
    action = "cannot be written" if is_output else "cannot be read"
    subject = f"the path of `{_name(option)}`" if option is not None else "the path"
    refused = MtlsearchError(
        f"{subject} {action}: {reason}",
        where=str(path) if option is None or path == value else f"{path} ({_name(option)} {value})",
        next_step=_next_step(path, reason, _name(option or _output_option(ctx))),
    )
    refused.__cause__ = error  # for --debug
    return refused


def _next_step(path: Path, reason: str, option: str) -> str:
    other = f"set {option} to another path" if option else "use another path"
    if reason == PERMISSION:
        return f"{other}, or change the permissions of {_existing(path)}"
    if reason == NO_SPACE:
        return f"free space on the disk of {_existing(path)}, or {other}"
    return f"{other}, or repair this one"


def _option_of(path: Path, ctx: Any) -> tuple[Any, Path | None]:
    """Return the option or argument whose value is the path, contains it or lies in it."""
    for option in ctx.command.params:
        value = ctx.params.get(option.name)
        if isinstance(value, Path):
            absolute, refused = value.absolute(), path.absolute()
            if absolute.is_relative_to(refused) or refused.is_relative_to(absolute):
                return option, value
    return None, None


def _output_option(ctx: Any) -> Any:
    """Return the option that sets where a command writes; None if it has none."""
    return next((option for option in ctx.command.params if option.name in OUTPUTS), None)


def _name(option: Any) -> str:
    """Return ``--out`` of an option, or ``DIR`` of an argument."""
    if option is None:
        return ""
    if option.param_type_name == "argument":
        return str(option.metavar or option.name).strip(".")
    return str(max(option.opts, key=len))


def _existing(path: Path) -> Path:
    """Return the innermost folder of a path that exists."""
    return next((part for part in (path, *path.parents) if part.is_dir()), path)
