"""Limits of one reading: errors of mtlsearch only, bounded time and memory."""

from __future__ import annotations

import resource
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from mtlsearch.errors import MtlsearchError

MAX_SECONDS = 30
"""Wall time of one reading. Machines that run tests can be busy."""

MAX_CPU_SECONDS = 10
MAX_BYTES = 2 * 2**30
"""Memory that one reading may add."""


class HangError(BaseException):
    """A reading takes too long; not an ``Exception``, so that no reader handles it."""


def finding(read: Callable[[], object]) -> tuple[str, str] | None:
    """Return what is wrong with the way in which a reading ends.

    Args:
        read: reads one input.

    Returns:
        Its kind (type and place of the error) and a description; None if the reading ends with a
        value or an error of mtlsearch, in time and within the memory.
    """
    start = time.process_time()
    try:
        with _limits(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except MtlsearchError as error:
        cause = _out_of_memory(error)
        if cause is not None:
            return f"memory at {_place(cause)}", "".join(traceback.format_exception(error))
        if not ((error.what and str(error).isprintable()) or "\n" in str(error)):
            return f"unprintable at {_place(error)}", repr(str(error))
        try:
            str(error).encode()
        except UnicodeEncodeError:
            return f"surrogates in a message at {_place(error)}", ascii(str(error))
    except (Exception, HangError, RecursionError) as error:
        return (
            f"{type(error).__name__} at {_place(error)}",
            "".join(traceback.format_exception(error, limit=-12)),
        )
    seconds = time.process_time() - start
    return (f"{seconds:.0f} s", f"took {seconds:.1f} s") if seconds > MAX_CPU_SECONDS else None


def _out_of_memory(error: BaseException | None) -> BaseException | None:
    while error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        # A stated length of bytes is reserved, and never used if the file is shorter.
        if frames and frames[-1].filename.endswith("_weights_only_unpickler.py"):
            return None
        is_full = isinstance(error, RuntimeError) and "allocate memory" in str(error)
        if isinstance(error, MemoryError) or is_full:
            return error
        error = error.__cause__ or error.__context__
    return None


def _place(error: BaseException) -> str:
    """Return the innermost line of the project in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    project = [frame for frame in frames if _is_own(frame.filename)]
    frame = (project or list(frames))[-1]
    return f"{Path(frame.filename).parent.name}/{Path(frame.filename).name}:{frame.lineno}"


def _is_own(name: str) -> bool:
    return "site-packages" not in name and ("/mtlsearch/" in name or "/plugins/" in name)


@contextmanager
def _limits() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise HangError(f"not finished after {MAX_SECONDS} s")

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    earlier = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (size + MAX_BYTES, hard))
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, earlier)
