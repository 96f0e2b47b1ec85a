"""Progress of a search or a training as lines of text."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TypeAlias

from mtlsearch.search import SearchProgress

Progress: TypeAlias = bool | Callable[[str], object]
"""Whether lines are printed, or a function that gets each line."""


def progress_of(progress: Progress) -> LineProgress:
    """Return the callbacks of a search for the argument ``progress``.

    Args:
        progress: False reports nothing but warnings, True prints lines, and a function gets them.

    Returns:
        The callbacks.
    """
    if progress is True:
        return LineProgress(print)
    return LineProgress(progress if callable(progress) else None)


class LineProgress(SearchProgress):
    """Progress callbacks that report one line per stage, epoch of a long training and trial.

    Args:
        write: gets each line; None for none. Warnings are then Python warnings.
    """

    def __init__(self, write: Callable[[str], object] | None) -> None:
        self._write = write
        self._stage = ""
        self._plan = ""

    def stage(self, message: str, done: int, total: int) -> None:
        """See :class:`SearchProgress`."""
        if message != self._stage:
            self.note(f"{message} ...")
        self._stage = message if done < total else ""

    def search_started(self, done: int, total: int) -> None:
        """See :class:`SearchProgress`."""
        if done:
            self.note(f"resuming: {done} of {total} trials are finished")

    def trial_started(self, number: int, what: str, steps: int) -> None:
        """See :class:`SearchProgress`."""
        self._plan = what
        self.note(f"trial {number}: {what}, {steps} steps")

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """See :class:`SearchProgress`."""
        numbers = ", ".join(
            f"{task}.{name} {value:.4g}"
            for task, values in metrics.items()
            for name, value in values.items()
        )
        self.note(f"  epoch {epoch} of {epochs}: {numbers}")

    def trial_finished(
        self, number: int, state: str, delta_m: float | None, seconds: float, reason: str
    ) -> None:
        """See :class:`SearchProgress`."""
        value = "" if delta_m is None else f", Δm {delta_m:+.2f} %"
        reason = f" ({reason})" if reason else ""
        self.note(f"trial {number}: {state}{value}, {seconds:.0f} s{reason}")

    def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
        """See :class:`SearchProgress`."""
        self.note(f"trial {number}: resumes until epoch {epochs} ({reason})")

    def best(self, number: int, delta_m: float) -> None:
        """See :class:`SearchProgress`."""
        self.note(f"best so far: trial {number}, Δm {delta_m:+.2f} %")

    def note(self, text: str) -> None:
        """See :class:`SearchProgress`."""
        if self._write is not None:
            self._write(text)

    def warning(self, text: str) -> None:
        """See :class:`SearchProgress`."""
        if self._write is None:
            warnings.warn(text, UserWarning, stacklevel=2)
        else:
            self._write(f"warning: {text}")
