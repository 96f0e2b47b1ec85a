"""Progress of a worker as lines of JSON, which another process shows."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from mtlsearch.cli._progress import ProgressView

MARK = "\x1e"
"""First character of a line with an event; plugins may print other lines."""

STEP_INTERVAL = 0.2
"""Seconds between two events of training steps."""

OUTCOME, ERROR = "outcome", "error"
"""Further events: how a worker ended."""


class ProgressEvents:
    """Progress callbacks written to a stream; see :class:`mtlsearch.search.SearchProgress`.

    Args:
        stream: text stream of the process that shows them.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last_step = 0.0

    def write(self, event: str, *arguments: Any) -> None:
        """Write one event.

        Args:
            event: name of the callback, :data:`OUTCOME` or :data:`ERROR`.
            arguments: its arguments.
        """
        self._stream.write(f"{MARK}{json.dumps([event, *arguments])}\n")
        self._stream.flush()

    def stage(self, message: str, done: int, total: int) -> None:
        """Write the progress of work outside of trials."""
        self.write("stage", message, done, total)

    def search_started(self, done: int, total: int) -> None:
        """Write the number of finished trials."""
        self.write("search_started", done, total)

    def trials_named(self, name: str) -> None:
        """Write what the next trainings are."""
        self.write("trials_named", name)

    def trial_started(self, number: int, what: str, steps: int) -> None:
        """Write that a trial starts."""
        self.write("trial_started", number, what, steps)

    def step(self, done: int, loss: float) -> None:
        """Write the number of training steps, a few times per second."""
        now = time.monotonic()
        if now - self._last_step >= STEP_INTERVAL:
            self._last_step = now
            self.write("step", done, loss)

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Write the metrics of an epoch."""
        plain = {task: dict(values) for task, values in metrics.items()}
        self.write("epoch_finished", epoch, epochs, plain)

    def waiting(self, is_waiting: bool) -> None:
        """Write nothing: an outage ends the trial with a message."""

    def note(self, text: str) -> None:
        """Write a note."""
        self.write("note", text)

    def warning(self, text: str) -> None:
        """Write a warning."""
        self.write("warning", text)

    def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
        """Write that a paused trial resumes."""
        self.write("trial_promoted", number, epochs, reason)

    def trial_finished(
        self,
        number: int,
        state: str,
        delta_m: float | None,
        seconds: float,
        reason: str,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Write the result of a trial."""
        self.write("trial_finished", number, state, delta_m, seconds, reason, dict(metrics or {}))

    def best(
        self, number: int, delta_m: float, expected: tuple[float, float] | None = None
    ) -> None:
        """Write the best trial so far."""
        self.write("best", number, delta_m, expected)


class EventDisplay:
    """Shows the events of several workers in one display.

    Args:
        view: the display.
    """

    def __init__(self, view: ProgressView) -> None:
        self._view = view
        self._shown: set[tuple[Any, ...]] = set()

    def show(self, worker: int, event: str, arguments: list[Any]) -> None:
        """Call the display; what all workers report alike is shown once.

        Args:
            worker: index of the worker.
            event: name of the callback.
            arguments: its arguments.
        """
        if event in ("warning", "search_started", "stage"):
            key = (event,) if event == "search_started" else (event, *arguments)
            if key in self._shown:
                return
            self._shown.add(key)
        self._view.worker = worker
        getattr(self._view, event)(*arguments)


def parse_event(line: str) -> tuple[str, list[Any]] | None:
    """Return an event and its arguments; None for any other line.

    Args:
        line: a line of a worker's standard output.
    """
    if not line.startswith(MARK):
        return None
    event, *arguments = json.loads(line.removeprefix(MARK))
    return event, arguments
