"""Workers on a cluster: started, shown, and started again when they die."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from mtlsearch.cli._errors import FAILURE, INTERRUPTED, TRY_AGAIN
from mtlsearch.cli._node_process import Kind, Message
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._progress_events import ERROR, OUTCOME, EventDisplay, parse_event
from mtlsearch.cli._worker_processes import WorkerFailedError
from mtlsearch.errors import InfrastructureError

PAUSES = (1.0, 5.0, 25.0)
"""Seconds before a worker starts again, by the number of its deaths since its last trial."""

RECEIVE_SECONDS = 1.0
"""Longest time between two looks at the workers that wait."""

WAIT_SECONDS = 20.0
"""Seconds without a node after which a message reports that a worker waits."""


class Launcher(Protocol):
    """Places workers on nodes of a cluster.

    Attributes:
        resources: what a worker waits for, such as ``"1 GPU and 4 CPU cores"``.
    """

    resources: str

    def start(self, index: int) -> None:
        """Ask for a node for a worker; return before there is one."""

    def receive(self, seconds: float) -> Iterable[tuple[int, Message]]:
        """Wait for messages of the workers, for at most some seconds."""

    def interrupt(self) -> None:
        """Let all workers end their trials as interrupted."""

    def release(self, index: int) -> None:
        """Free the node of a worker that has ended, or that no longer waits for one."""


class State(Enum):
    """State of a worker of a cluster."""

    WAITING = "waits for a node"
    RUNNING = "runs on a node"
    PAUSING = "died and starts again soon"
    ENDED = "does not start again"


@dataclass
class _Supervised:
    """A worker that is started again, on any node, when it dies."""

    index: int
    state: State = State.WAITING
    since: float = 0.0
    node: str = ""
    num_deaths: int = 0
    has_begun: bool = False
    has_outcome: bool = False
    failure: str = ""

    def enter(self, state: State) -> None:
        """Change the state and measure its time from now."""
        self.state, self.since = state, time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds in this state."""
        return time.monotonic() - self.since


class Supervisor:
    """Runs workers until all of them end.

    A worker that dies, or ends because of its node (exit code 75), starts again a bounded
    number of times without a finished trial between. Any other error interrupts all workers.

    Args:
        launcher: places the workers.
        count: number of workers.
        view: shows the events of all workers.
    """

    def __init__(self, launcher: Launcher, count: int, view: ProgressView) -> None:
        self._launcher = launcher
        self._view = view
        self._display = EventDisplay(view)
        self._workers = [_Supervised(index) for index in range(count)]
        self._outcome: dict[str, Any] | None = None
        self._is_finished = False  # a worker found nothing to do after the last death
        self._is_stopping = False
        self._error: tuple[str, int] | None = None
        self._reason = "it was interrupted"
        self._num_trials = 0
        self._has_reported_waiting = False

    def run(self) -> dict[str, Any]:
        """Start all workers and wait until they end.

        A first interrupt lets all workers end their trials; a second one ends this call at once.

        Returns:
            The outcome that a worker has written.

        Raises:
            WorkerFailedError: a worker ended with an error. The others were interrupted.
            InfrastructureError: all workers died too often.
            KeyboardInterrupt: the user interrupted the search.
        """
        try:
            for worker in self._workers:
                self._start(worker)
            self._run_until_end()
        except KeyboardInterrupt:
            self._stop()
            self._run_until_end()
            raise
        if self._error is not None:
            raise WorkerFailedError(*self._error)
        if self._outcome is None or not self._is_finished:
            raise InfrastructureError(
                f"all {len(self._workers)} workers ended before the search did, the last one "
                f"because {self._reason}",
                next_step="run the same command to resume when the nodes work again",
            )
        return self._outcome

    def _run_until_end(self) -> None:
        while True:
            self._end_idle()
            if all(worker.state is State.ENDED for worker in self._workers):
                return
            for index, message in self._launcher.receive(RECEIVE_SECONDS):
                self._handle(self._workers[index], message)
            for worker in self._workers:
                if worker.state is State.PAUSING and worker.seconds >= _pause(worker):
                    self._start(worker)
            self._report_waiting()

    def _end_idle(self) -> None:
        """End workers that have nothing to do: the search is finished, or is interrupted."""
        open_workers = [worker for worker in self._workers if worker.state is not State.ENDED]
        if self._is_finished and not any(worker.has_begun for worker in open_workers):
            idle = open_workers
        elif self._is_stopping:
            idle = [worker for worker in open_workers if worker.state is not State.RUNNING]
        else:
            idle = []
        for worker in idle:
            self._leave(worker, State.ENDED)

    def _start(self, worker: _Supervised) -> None:
        worker.enter(State.WAITING)
        worker.has_begun = worker.has_outcome = False
        worker.failure = ""
        self._launcher.start(worker.index)

    def _leave(self, worker: _Supervised, state: State) -> None:
        worker.enter(state)
        worker.has_begun = False
        self._launcher.release(worker.index)

    def _stop(self) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            self._launcher.interrupt()

    def _handle(self, worker: _Supervised, message: Message) -> None:
        if worker.state not in (State.WAITING, State.RUNNING):
            return  # sent before it was released
        if message.kind is Kind.PLACED:
            worker.node = message.text
            worker.enter(State.RUNNING)
            self._view.message(f"{self._name(worker)} runs on {worker.node}")
        elif message.kind is Kind.LINE:
            self._handle_line(worker, message.text)
        elif message.kind is Kind.ERROR_LINE:
            if worker.has_begun or not self._is_stopping:  # else Python reports the interrupt
                sys.stderr.write(message.text)
        elif message.kind is Kind.ENDED:
            self._handle_end(worker, message.code)
        elif message.kind is Kind.LOST or self._num_trials > 0:
            self._handle_death(worker, message.text)
        else:  # a node that refuses the first worker has a wrong setup
            self._leave(worker, State.ENDED)
            self._fail(worker, message.text, FAILURE)

    def _handle_line(self, worker: _Supervised, line: str) -> None:
        event = parse_event(line)
        if event is None:
            sys.stderr.write(line)  # printed by a plugin
            return
        worker.has_begun = True
        name, arguments = event
        if name == OUTCOME:
            self._outcome = arguments[0]
            self._is_finished = worker.has_outcome = True
        elif name == ERROR:
            worker.failure = arguments[0]
        else:
            if name == "trial_finished":
                self._num_trials += 1
                worker.num_deaths = 0
            self._display.show(worker.index, name, arguments)

    def _handle_end(self, worker: _Supervised, code: int) -> None:
        if worker.has_outcome or (self._is_stopping and code in (INTERRUPTED, -signal.SIGINT)):
            self._leave(worker, State.ENDED)
        elif code < 0:
            self._handle_death(worker, f"signal {-code} ended its process")
        elif code == INTERRUPTED:
            self._handle_death(worker, "its process was interrupted")
        elif code == TRY_AGAIN:
            self._handle_death(worker, worker.failure)
        else:
            self._leave(worker, State.ENDED)
            self._fail(worker, worker.failure, code)

    def _handle_death(self, worker: _Supervised, reason: str) -> None:
        """Start the worker again after a pause, or end it after too many deaths."""
        worker.num_deaths += 1
        self._is_finished = False
        self._reason = reason
        if worker.num_deaths > len(PAUSES) or self._is_stopping:
            self._leave(worker, State.ENDED)
            then = "is not started again"
        else:
            self._leave(worker, State.PAUSING)
            then = "starts again, its trial continues"
        on_node = f" on {worker.node}" if worker.node else ""
        self._view.warning(f"{self._name(worker)}{on_node} {then}: {reason}")

    def _fail(self, worker: _Supervised, text: str, code: int) -> None:
        """Keep the first error, and interrupt all workers."""
        if self._error is None:
            on_node = f", on {worker.node}" if worker.node else ""
            where = f"\n  worker:  {worker.index + 1}{on_node}" if text else ""
            self._error = (text + where, code)
        self._stop()

    def _report_waiting(self) -> None:
        waiting = [
            worker
            for worker in self._workers
            if worker.state is State.WAITING and worker.seconds >= WAIT_SECONDS
        ]
        if waiting and not self._has_reported_waiting:
            self._view.warning(
                f"{len(waiting)} of {len(self._workers)} workers wait for a node with "
                f"{self._launcher.resources}"
            )
        self._has_reported_waiting = bool(waiting)

    def _name(self, worker: _Supervised) -> str:
        return f"worker {worker.index + 1} of {len(self._workers)}"


def _pause(worker: _Supervised) -> float:
    return PAUSES[worker.num_deaths - 1]
