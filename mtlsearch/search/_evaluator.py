"""The one seam for measuring: a candidate in, a measurement out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mtlsearch.plan import Cost, UnitSpec
from mtlsearch.plugin import Candidate
from mtlsearch.results import TaskResult
from mtlsearch.search._progress import SearchProgress


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of a candidate.

    Attributes:
        results: each task's validation metrics after the last epoch.
        epochs: how many were trained, from the first one on.
        seconds: wall time of training and evaluation of all of them.
        note: what a reader of the results should know, for people; empty if nothing.
        results_by_epoch: the results after earlier epochs, by epoch, from 1; only ``search.early_stopping``
            needs it.
        val_images: how many validation images the results are of; None where there are none.
    """

    results: Mapping[str, TaskResult]
    epochs: int
    seconds: float
    note: str = ""
    results_by_epoch: Mapping[int, Mapping[str, TaskResult]] = field(default_factory=dict)
    val_images: int | None = None


class Evaluator(Protocol):
    """Measures candidates: by training them, by looking them up, by a formula."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names, sorted."""

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """The units of a backbone, in depth order."""

    def cost(self, candidate: Candidate) -> Cost:
        """Parameters and FLOPs, by arithmetic."""

    @property
    def epochs(self) -> int:
        """How many epochs a whole training has."""

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """Measure one candidate under a budget.

        Args:
            number: the trial's number, under which weights may be kept.
            candidate: what to measure, nothing left open.
            progress: is told of steps and epochs.
            epochs: the budget: stop after so many epochs of a whole training. Going on from
                where an earlier call for this number stopped gives the same as beginning anew.
                None is the whole training.

        Raises:
            TrainingError: it cannot be trained; the trial fails, the search goes on.
        """
