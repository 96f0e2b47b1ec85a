"""The one seam for measuring: a candidate in, a measurement out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mtlsearch.plan import Cost
from mtlsearch.plugin import Candidate
from mtlsearch.record import TaskResult
from mtlsearch.search._progress import SearchProgress
from mtlsearch.units import UnitSpec


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of a candidate.

    Attributes:
        results: each task's validation metrics.
        epochs: how many were trained.
        seconds: wall time of training and evaluation.
        note: what a reader of the results should know, for people; empty if nothing.
    """

    results: Mapping[str, TaskResult]
    epochs: int
    seconds: float
    note: str = ""


class Evaluator(Protocol):
    """Measures candidates: by training them, by looking them up, by a formula."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names, sorted."""

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """The units of a backbone, in depth order."""

    def cost(self, candidate: Candidate) -> Cost:
        """Parameters and FLOPs, by arithmetic."""

    def measure(self, number: int, candidate: Candidate, progress: SearchProgress) -> Measurement:
        """Measure one candidate under the run's budget.

        Args:
            number: the trial's number, under which weights may be kept.
            candidate: what to measure, nothing left open.
            progress: is told of steps and epochs.

        Raises:
            TrainingError: it cannot be trained; the trial fails, the search goes on.
        """
