"""A worker as a process on a node of a cluster, whose output another machine reads."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TextIO

from mtlsearch import __version__

SHARED_SECONDS = 10.0
"""Seconds that a network disk may need until a node sees a file of another one."""


class Kind(Enum):
    """What a message of a worker reports."""

    PLACED = "placed"
    """A node has been found; the text names it."""

    LINE = "line"
    """A line of the standard output, which may be an event."""

    ERROR_LINE = "error line"
    """A line of the standard error."""

    REFUSED = "refused"
    """The node cannot run the worker; the text has the reason."""

    ENDED = "ended"
    """The process has ended with the exit code of the message."""

    LOST = "lost"
    """The executor has lost the node or the process that starts the worker."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a worker reports to the machine that started it.

    Attributes:
        kind: what is reported.
        text: a line or a reason.
        code: exit code; negative for a signal.
    """

    kind: Kind
    text: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """What a node needs to run a worker.

    Attributes:
        arguments: arguments after ``mtlsearch``, of a command that writes events.
        environment: variables that the process gets in addition.
        folder: working directory; that of the run file where the node does not have it.
        file: the run file.
        shared_file: a file in the run directory.
        shared_text: its contents, by which a node recognizes that it sees the same folder.
        version: version of mtlsearch on the machine that asks.
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    file: Path
    shared_file: Path
    shared_text: str
    version: str = __version__


class NodeProcess:
    """A worker process on this node, and its output.

    The process ends itself when this object is gone, because it waits for the end of its
    standard input.

    Args:
        request: what to run.
    """

    def __init__(self, request: WorkerRequest) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        self._messages.put(Message(Kind.PLACED, _name_of_node()))
        reason = _obstacle(request)
        if reason:
            self._messages.put(Message(Kind.REFUSED, reason))
        else:
            self._process = self._start(request)

    def read(self, seconds: float) -> list[Message]:
        """Return the messages since the last call; wait until there is one.

        Args:
            seconds: maximum time to wait.

        Returns:
            The messages; empty after ``seconds`` without one.
        """
        messages = []
        try:
            messages.append(self._messages.get(timeout=seconds))
            while True:
                messages.append(self._messages.get_nowait())
        except queue.Empty:
            return messages

    def interrupt(self) -> None:
        """Let the worker end its trial as interrupted, so that it can be continued."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def _start(self, request: WorkerRequest) -> subprocess.Popen[str]:
        with _interrupts_unblocked():
            process = subprocess.Popen(
                [sys.executable, "-m", "mtlsearch.cli", *request.arguments],
                stdin=subprocess.PIPE,  # ends with this process, and the worker with it
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                cwd=request.folder if request.folder.is_dir() else request.file.parent,
                env={**os.environ, **request.environment},
            )
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [
            threading.Thread(target=self._forward, args=(kind, stream), daemon=True)
            for kind, stream in ((Kind.LINE, process.stdout), (Kind.ERROR_LINE, process.stderr))
        ]
        for reader in readers:
            reader.start()

        def report_end() -> None:
            for reader in readers:
                reader.join()
            with process:  # closes its streams
                code = process.wait()
            self._messages.put(Message(Kind.ENDED, code=code))

        threading.Thread(target=report_end, name="end", daemon=True).start()
        return process

    def _forward(self, kind: Kind, stream: TextIO) -> None:
        for line in stream:
            self._messages.put(Message(kind, line))


@contextmanager
def _interrupts_unblocked() -> Iterator[None]:
    """Let this thread start a process that receives interrupts; threads of Ray block them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _obstacle(request: WorkerRequest) -> str:
    """Return why this node cannot run a worker; empty if it can."""
    if request.version != __version__:
        return f"its mtlsearch is {__version__}, and that of the search is {request.version}"
    if not request.file.is_file():
        return f"the run file {request.file} does not exist there"
    if not _is_shared(request):
        return f"the run directory {request.shared_file.parent} is not shared with it"
    return ""


def _is_shared(request: WorkerRequest) -> bool:
    end = time.monotonic() + SHARED_SECONDS
    while not _is_same(request.shared_file, request.shared_text):
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def _is_same(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def _name_of_node() -> str:
    name = socket.gethostname()
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES")
    return f"{name}, GPU {gpus}" if gpus else name
