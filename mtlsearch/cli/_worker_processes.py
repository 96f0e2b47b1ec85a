"""Several workers on this machine, started and shown by one process."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._progress_events import ERROR, OUTCOME, EventDisplay, parse_event
from mtlsearch.errors import InfrastructureError

VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"

MAX_RESTARTS = 3
"""Times that a killed worker starts again without a finished trial between."""


class WorkerFailedError(Exception):
    """A worker ended with an error, which it has described.

    Args:
        text: message of the error; empty if the worker has printed it.
        code: exit code of the worker.
    """

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Placement:
    """Device and threads of one worker.

    Attributes:
        environment: variables that the worker gets in addition.
        text: the same for the user.
    """

    environment: Mapping[str, str]
    text: str


def place_workers(
    count: int, device: str, num_gpus: int, environment: Mapping[str, str]
) -> list[Placement]:
    """Give each worker a GPU, or its part of the threads.

    Args:
        count: number of workers.
        device: value of ``--device``. With ``auto`` and ``cuda``, each worker gets one GPU.
        num_gpus: number of GPUs; 0 without one.
        environment: variables of this process. A number of threads in it stays.

    Returns:
        One placement per worker.
    """
    threads = environment.get(THREADS) or str(max(1, _num_cores() // count))
    shared = {THREADS: threads}
    if device not in ("auto", "cuda") or num_gpus == 0:
        each = "1 thread" if threads == "1" else f"{threads} threads"
        return [Placement(shared, f"{each} each")] * count
    visible = environment.get(VISIBLE_GPUS)
    names = visible.split(",") if visible else [str(index) for index in range(num_gpus)]
    return [
        Placement({**shared, VISIBLE_GPUS: names[index % len(names)]}, _describe(count, names))
        for index in range(count)
    ]


def _describe(count: int, names: Sequence[str]) -> str:
    if count <= len(names):
        return "one GPU each"
    return f"{len(names)} GPU{'s' if len(names) > 1 else ''} shared"


def _num_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass
class _Child:
    """One worker process."""

    index: int
    process: subprocess.Popen[str]
    outcome: dict[str, Any] | None = None
    error: tuple[str, int] | None = None
    is_interrupted: bool = False
    num_deaths: int = 0
    reader: threading.Thread = field(init=False)

    def interrupt(self) -> None:
        """Let the worker end its trial as interrupted, once, so that it can be continued."""
        if not self.is_interrupted and self.process.poll() is None:
            self.is_interrupted = True
            self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """Wait for the end of the process and close its streams."""
        self.process.wait()
        self.reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def run_workers(
    arguments: Sequence[str], placements: Sequence[Placement], view: ProgressView
) -> dict[str, Any]:
    """Run ``mtlsearch`` once per worker until all of them end.

    A worker that is killed starts again, a bounded number of times without a finished trial of
    it between. Its trial continues on the worker that is free first. An interrupt lets all
    workers end their trials as interrupted; a second one kills them.

    Args:
        arguments: arguments after ``mtlsearch``, of a command that writes events.
        placements: one per worker.
        view: shows the events of all workers.

    Returns:
        The outcome that a worker has written.

    Raises:
        WorkerFailedError: a worker ended with an error, the first one in time. The others were
            interrupted.
        InfrastructureError: all workers were killed too often.
        KeyboardInterrupt: the user interrupted the search.
    """
    lines: queue.SimpleQueue[tuple[_Child, str | None]] = queue.SimpleQueue()
    children = [
        _start(index, arguments, placement, lines) for index, placement in enumerate(placements)
    ]
    display = EventDisplay(view)
    error: tuple[str, int] | None = None
    with _stopped_by_interrupts(children):
        num_open = len(children)
        while num_open > 0:
            child, line = lines.get()
            if line is None:
                num_open -= 1
                if _report_end(child, children, view):
                    child.close()
                    again = _start(child.index, arguments, placements[child.index], lines)
                    again.num_deaths = child.num_deaths
                    children[child.index] = again
                    num_open += 1
            else:
                _handle(child, line, display)
            error = error or child.error
    if error is not None:
        raise WorkerFailedError(*error)
    outcomes = [child.outcome for child in children if child.outcome is not None]
    if not outcomes:
        raise InfrastructureError(
            f"all {len(children)} workers ended before the search did",
            next_step="run the same command to resume, with fewer workers if the memory is full",
        )
    return outcomes[-1]


def _start(
    index: int,
    arguments: Sequence[str],
    placement: Placement,
    lines: queue.SimpleQueue[tuple[_Child, str | None]],
) -> _Child:
    process = subprocess.Popen(
        [sys.executable, "-m", "mtlsearch.cli", *arguments],
        stdin=subprocess.PIPE,  # it ends with this process, and the worker with it
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **placement.environment},
        start_new_session=True,  # a terminal interrupts this process only
    )
    child = _Child(index, process)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put((child, line))
        process.wait()
        lines.put((child, None))

    child.reader = threading.Thread(target=read, name=f"worker-{index}", daemon=True)
    child.reader.start()
    return child


def _handle(child: _Child, line: str, display: EventDisplay) -> None:
    event = parse_event(line)
    if event is None:
        sys.stderr.write(line)  # printed by a plugin
        return
    name, arguments = event
    if name == OUTCOME:
        child.outcome = arguments[0]
    elif name == ERROR:
        child.error = (arguments[0], arguments[1])
    else:
        if name == "trial_finished":
            child.num_deaths = 0
        display.show(child.index, name, arguments)


def _report_end(child: _Child, children: Sequence[_Child], view: ProgressView) -> bool:
    """Interrupt the other workers after an error; report a worker that was killed.

    Returns:
        Whether the worker starts again.
    """
    code = child.process.returncode
    has_reported = child.error is not None or child.outcome is not None
    if code > 0 and not has_reported and not child.is_interrupted:
        child.error = ("", code)
    if child.error is not None:
        for other in children:
            other.interrupt()
    elif code < 0 and not child.is_interrupted:
        child.num_deaths += 1
        is_ending = any(
            other.outcome is not None or other.error is not None or other.is_interrupted
            for other in children
        )
        should_restart = child.num_deaths <= MAX_RESTARTS and not is_ending
        then = "it starts again" if should_restart else "it is not started again"
        has_others = should_restart or any(other.process.poll() is None for other in children)
        view.warning(
            f"worker {child.index + 1} of {len(children)} was ended by signal {-code}, {then}"
            + (": its trial continues" if has_others else "")
        )
        return should_restart
    return False


@contextmanager
def _stopped_by_interrupts(children: Sequence[_Child]) -> Iterator[None]:
    """Interrupt all workers on the first interrupt and wait for them; kill them on the second."""
    try:
        yield
    except KeyboardInterrupt:
        for child in children:
            child.interrupt()
        try:
            for child in children:
                child.process.wait()
        except KeyboardInterrupt:
            for child in children:
                child.process.kill()
        raise
    finally:
        for child in children:
            if child.process.poll() is None:
                child.process.kill()
            child.close()
