"""Asynchronous successive halving (ASHA, Li et al. 2020).

A trial pauses at each *rung*, a number of epochs. Of all trials measured at a rung, the best
``1 / reduction_factor``, rounded up, are promoted to the next rung, and from the last rung to
the end of training. A trial may be promoted later, when more trials have reached its rung.
Trials are compared by their results at that rung, relative to the results of the
``independent`` baseline at the same rung. Both baselines are trained in full.

All decisions follow from the trial records, so an interrupted search resumes identically.
Optuna's pruners are not used: a pruned trial cannot resume, and they support one objective.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mtlsearch.config import SearchConfig
from mtlsearch.errors import RunError
from mtlsearch.results import TrialRecord, why_unranked
from mtlsearch.search._evaluator import Evaluator
from mtlsearch.study import StudyView


@dataclass(frozen=True, slots=True)
class Promotion:
    """A paused trial that resumes.

    Attributes:
        record: the trial.
        epochs: train up to this epoch: its next rung, or the last epoch.
        reason: its rank at its rung.
    """

    record: TrialRecord
    epochs: int
    reason: str


@dataclass(frozen=True, slots=True)
class SuccessiveHalving:
    """Rule that decides when trials pause and which of them are promoted.

    Attributes:
        rungs: epochs after which trials are compared, ascending; empty: no trial pauses.
        reduction_factor: one of this many trials is promoted at each rung.
        epochs: epochs of a full training; None if no trial pauses.
        can_promote: whether paused trials resume; False for the short trainings of an estimate.
    """

    rungs: tuple[int, ...] = ()
    reduction_factor: int = 3
    epochs: int | None = None
    can_promote: bool = True

    @classmethod
    def from_config(
        cls, config: SearchConfig, evaluator: Evaluator, view: StudyView | None = None
    ) -> SuccessiveHalving:
        """Create the rule of a run file.

        Args:
            config: the ``search`` part of the run file.
            evaluator: measures candidates; it defines the epochs of a full training.
            view: trials of earlier sessions. Rungs that ``auto`` gave their reference remain.

        Returns:
            The rule; without rungs if early stopping is disabled.

        Raises:
            RunError: a rung is not before the last epoch.
        """
        if config.early_stopping is None:
            return cls()
        epochs, rungs = evaluator.epochs, config.early_stopping.rungs_of(evaluator.epochs)
        reference = None if view is None else view.reference
        if config.early_stopping.rungs == "auto" and reference is not None:
            kept = tuple(sorted(reference.rung_results))
            # An estimate keeps further results of the reference, at which no trial pauses.
            rungs = rungs if set(rungs) <= set(kept) else kept
        if not rungs:
            return cls()
        if rungs[-1] >= epochs:
            raise RunError(
                f"`search.early_stopping.rungs` must be before the last of {epochs} epochs, "
                f"got {list(rungs)}",
                where="search.early_stopping.rungs",
                next_step="set rungs below `train.epochs`, or train for more epochs",
            )
        return cls(rungs, config.early_stopping.reduction_factor, epochs)

    def next_epochs(self, record: TrialRecord, view: StudyView) -> int | None:
        """Return the epoch up to which a trial trains now.

        Args:
            record: a new or a paused trial.
            view: all trials.

        Returns:
            The next rung or the last epoch; None to train in full without rungs.
        """
        if record.baseline is not None:
            return None
        last_rung = max(record.rung_results, default=0)
        return next((rung for rung in self.valid_rungs(view) if rung > last_rung), self.epochs)

    def promotion(self, view: StudyView) -> Promotion | None:
        """Return the promotion that comes next.

        Args:
            view: all trials.

        Returns:
            The best trial of the latest rung that promotes one; None if no trial is promoted.
        """
        for rung in reversed(self.valid_rungs(view) if self.can_promote else ()):
            best = view.best_paused(rung)
            if best is None:
                continue
            record, rank, num_measured = best
            if rank <= self.num_promoted(num_measured):
                epochs = self.next_epochs(record, view)
                assert epochs is not None  # it is not a baseline, and there are rungs
                return Promotion(record, epochs, f"rank {rank} of {num_measured} at epoch {rung}")
        return None

    def num_promoted(self, count: int) -> int:
        """Return how many trials a rung promotes.

        Args:
            count: number of trials measured at the rung.

        Returns:
            At least 1 if ``count`` is positive, so that some trials train in full.
        """
        return -(-count // self.reduction_factor)

    def valid_rungs(self, view: StudyView) -> tuple[int, ...]:
        """Return the rungs at which Δm is defined. Trials pause at these only.

        Args:
            view: all trials.

        Returns:
            Epochs, ascending.
        """
        invalid = dict(self.invalid_rungs(view))
        return tuple(rung for rung in self.rungs if rung not in invalid)

    def invalid_rungs(self, view: StudyView) -> Iterator[tuple[int, str]]:
        """Yield the rungs at which Δm is undefined.

        Args:
            view: all trials.

        Yields:
            A rung and the reason, such as a baseline of which all metrics are still 0.
        """
        for rung in self.rungs:
            reference = view.reference_results(rung)
            if reason := why_unranked(reference):
                yield rung, reason
