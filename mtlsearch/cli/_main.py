"""Entry point of the program: signals first, then everything that takes time to import."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
IMPORT_SYSTEM = "<frozen importlib._bootstrap>"
SHOW_CURSOR = "\x1b[?25h"
"""Undoes what a progress bar does to a terminal."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; see :mod:`mtlsearch.cli` for the exit codes.

    Args:
        arguments: arguments after ``mtlsearch``; by default those of the process.

    Raises:
        SystemExit: always, with the exit code.
    """
    with _interruptible_imports():
        from mtlsearch.cli._app import run

        code = run(arguments)
    raise SystemExit(code)


@contextmanager
def _interruptible_imports() -> Iterator[None]:
    """Let Ctrl-C end the process at once while a module is imported.

    An interrupted import raises another error, or leaves a module without a part.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _is_importing(frame):
        signal.default_int_handler(number, frame)
    if sys.stderr.isatty():
        os.write(2, SHOW_CURSOR.encode())
    os.write(2, b"interrupted: by Ctrl-C\n")
    os._exit(INTERRUPTED)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORT_SYSTEM:
            return True
        frame = frame.f_back
    return False
