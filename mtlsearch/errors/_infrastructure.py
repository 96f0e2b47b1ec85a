"""Errors of the operating system that no run file and no candidate causes."""

from __future__ import annotations

import errno
import re

from mtlsearch.errors._tree import InfrastructureError, MtlsearchError

NO_SPACE = "no space is left on the disk"
NO_MEMORY = "the memory of this machine is exhausted"

_REASONS = {
    errno.ENOSPC: NO_SPACE,
    errno.EDQUOT: NO_SPACE,
    errno.EFBIG: "the file exceeds the size that this machine allows",
    errno.EIO: "the disk reports an input/output error",
    errno.EROFS: "the disk is read-only",
    errno.ENOMEM: NO_MEMORY,
    errno.EMFILE: "this process has too many open files",
    errno.ENFILE: "this machine has too many open files",
    errno.ESTALE: "a network disk no longer has the file",
    errno.ETIMEDOUT: "a network disk does not answer",
}

_NEXT_STEPS = {
    NO_SPACE: "free space on this disk, then run the same command to resume",
    NO_MEMORY: "end other programs, or set `data.num_workers`, `train.batch_size` or the number "
    "of workers to a smaller value, then run the same command to resume",
}

_ERRNO_IN_TEXT = re.compile(r"\(os error (\d+)\)|No space left on device \((\d+)\)")
"""How libraries in Rust and C++ report the number of an error of the operating system."""

_NO_HOST_MEMORY = ("can't allocate memory", "DefaultCPUAllocator", "Cannot allocate memory")
_KILLED_READER = re.compile(r"DataLoader worker .* is killed by signal: ([^.]*)\.")


def infrastructure_error_of(error: BaseException) -> InfrastructureError | None:
    """Return the failure of a disk or of the machine's memory that an error reports.

    Args:
        error: the error of a training, such as an :class:`OSError` of a full disk.

    Returns:
        The error with the real cause; None if the cause is another one.
    """
    if isinstance(error, InfrastructureError):
        return error
    if isinstance(error, MtlsearchError):
        return None
    cause: BaseException | None = error
    while cause is not None and (reason := _reason_of(cause)) is None:
        cause = cause.__cause__ or cause.__context__  # torch replaces the error of a full disk
    if cause is None or reason is None:
        return None
    failure = InfrastructureError(
        reason,
        where=_file_of(cause),
        next_step=_NEXT_STEPS.get(reason, "run the same command to resume when it works again"),
    )
    failure.__cause__ = error  # for --debug
    return failure


def _reason_of(error: BaseException) -> str | None:
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0)
    text = str(error)
    if match := _ERRNO_IN_TEXT.search(text):
        return _REASONS.get(int(match[1] or match[2]))
    if any(part in text for part in _NO_HOST_MEMORY):
        return NO_MEMORY
    if killed := _KILLED_READER.search(text):
        return (
            f"a process that reads images ended by a signal ({killed[1]}), such as on full memory"
        )
    return None


def _file_of(error: BaseException) -> str | None:
    name = getattr(error, "filename", None)
    return name if isinstance(name, str) else None
