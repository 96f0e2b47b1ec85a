"""Interface between a search and what measures its candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mtlsearch.plan import Cost, UnitSpec
from mtlsearch.plugin import Candidate
from mtlsearch.results import KeptCost, TaskResult
from mtlsearch.search._progress import SearchProgress


@dataclass(frozen=True, slots=True)
class Measurement:
    """Results of one candidate.

    Attributes:
        results: validation metrics after the last epoch, by task.
        epochs: number of trained epochs, counted from the first one.
        seconds: wall time of training and evaluation of all these epochs.
        note: a remark about the results for the leaderboard; empty by default.
        results_by_epoch: results after earlier epochs, by epoch from 1; only
            ``search.early_stopping`` uses them.
        val_images: number of validation images; None if there are no images.
        kept: of an extension, the cost of the network in use; None for other candidates.
        over_limits: which limits the trained network exceeds; empty if none.
    """

    results: Mapping[str, TaskResult]
    epochs: int
    seconds: float
    note: str = ""
    results_by_epoch: Mapping[int, Mapping[str, TaskResult]] = field(default_factory=dict)
    val_images: int | None = None
    kept: KeptCost | None = None
    over_limits: str = ""


class Evaluator(Protocol):
    """Measures candidates by training, by a function or from a table."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names, sorted."""

    @property
    def epochs(self) -> int:
        """Number of epochs of a full training."""

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """Return the units of a backbone.

        Args:
            backbone: timm name of the backbone.

        Returns:
            Units in depth order.
        """

    def cost(self, candidate: Candidate) -> Cost:
        """Compute parameters and FLOPs without building the network.

        Args:
            candidate: what is measured.

        Returns:
            The cost, heads included.
        """

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """Measure a candidate after a number of epochs.

        A later call with the same number and more epochs may resume from the earlier one. The
        result must equal that of a training from the first epoch.

        Args:
            number: trial number, under which weights may be stored.
            candidate: what is measured, with all fields set.
            progress: callbacks for steps and epochs.
            epochs: train up to this epoch of a full training, from 1; None trains in full.

        Returns:
            The results.

        Raises:
            TrainingError: the candidate cannot be trained; its trial fails and the search
                continues.
        """
