"""Progress of a search or a training as lines of text."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TypeAlias

from mtlsearch.search import SearchProgress

Progress: TypeAlias = bool | Callable[[str], object]
"""Whether lines are printed, or a function that gets each line."""


def progress_of(progress: Progress, *, has_epochs: bool = False) -> LineProgress:
    """Return the callbacks of a search or a training for the argument ``progress``.

    Args:
        progress: False reports nothing but warnings, True prints lines, and a function gets them.
        has_epochs: whether there is a line per epoch.

    Returns:
        The callbacks.
    """
    write = print if progress is True else progress if callable(progress) else None
    return LineProgress(write, has_epochs=has_epochs)


class LineProgress(SearchProgress):
    """Progress callbacks that report lines: at the start and the end of each trial.

    Args:
        write: gets each line; None for none. Warnings are then Python warnings.
        has_epochs: whether there is a line per epoch.
    """

    def __init__(self, write: Callable[[str], object] | None, *, has_epochs: bool) -> None:
        self._write = write
        self._has_epochs = has_epochs
        self._stage = self._best = ""

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
        self.note(f"trial {number}: {what}, {steps} steps")

    def epoch_finished(
        self, epoch: int, epochs: int, metrics: Mapping[str, Mapping[str, float]]
    ) -> None:
        """See :class:`SearchProgress`."""
        if not self._has_epochs:
            return
        numbers = ", ".join(
            f"{task}.{name} {value:.4g}"
            for task, values in metrics.items()
            for name, value in values.items()
        )
        self.note(f"  epoch {epoch} of {epochs}: {numbers}")

    def trial_finished(
        self,
        number: int,
        state: str,
        delta_m: float | None,
        seconds: float,
        reason: str,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """See :class:`SearchProgress`."""
        value = "" if delta_m is None else f", Δm {delta_m:+.2f} %"
        value += "".join(f", {name} {metric:.4g}" for name, metric in (metrics or {}).items())
        reason = f" ({reason})" if reason else ""
        self.note(f"trial {number}: {state}{value}, {seconds:.0f} s{reason}")

    def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
        """See :class:`SearchProgress`."""
        self.note(f"trial {number}: resumes until epoch {epochs} ({reason})")

    def best(
        self, number: int, delta_m: float, expected: tuple[float, float] | None = None
    ) -> None:
        """See :class:`SearchProgress`."""
        best = f"best so far: trial {number}, Δm {delta_m:+.2f} %"
        if expected is not None:
            best += " measured, {:+.2f} ± {:.2f} % expected".format(*expected)
        if best != self._best:
            self.note(best)
        self._best = best

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
