"""Who is trained on: asynchronous successive halving (ASHA, Li et al. 2020).

Trials stop at *rungs*, a few numbers of epochs. Of those that were measured at a rung the best
``1 / reduction``, rounded up, go on to the next one, whenever they come to be among them; the
last goes on to the end. They are compared by what was measured at that rung, against what the
``independent`` trial had come to there. Both baselines are trained in full.

Everything follows from the records, so that a search that was stopped goes on as if it had not
been. Optuna's pruners are not asked: what they prune is over, and they know one objective.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtlsearch.config import SearchConfig
from mtlsearch.errors import RunError
from mtlsearch.results import (
    DELTA_M,
    Objective,
    TrialRecord,
    delta_m,
    rank_at_epoch,
    reference_at,
    reference_trial,
)
from mtlsearch.search._evaluator import Evaluator


@dataclass(frozen=True, slots=True)
class Promotion:
    """A stopped trial that is to be trained on.

    Attributes:
        record: the trial.
        epochs: the next of its rungs, or all epochs.
        why: how it stands, for people.
    """

    record: TrialRecord
    epochs: int
    reason: str


@dataclass(frozen=True, slots=True)
class SuccessiveHalving:
    """When trials stop and which of them go on.

    Attributes:
        rungs: epochs after which trials are compared, rising; none: no trial is stopped.
        reduction: of so many trials at a rung one goes on.
        epochs: of a whole training; None where nothing is stopped.
        objectives: by what they are compared; of several, by dominance.
    """

    rungs: tuple[int, ...] = ()
    reduction_factor: int = 3
    epochs: int | None = None
    objectives: tuple[Objective, ...] = (DELTA_M,)

    @classmethod
    def from_config(
        cls,
        config: SearchConfig,
        evaluator: Evaluator,
        objectives: tuple[Objective, ...],
        records: Sequence[TrialRecord] = (),
    ) -> SuccessiveHalving:
        """As a run file has it, for what an evaluator takes for a whole training.

        Args:
            config: the run file's.
            evaluator: what trains.
            objectives: by what trials are compared.
            records: those of earlier sittings. What ``auto`` was when their reference was
                trained, it stays.

        Raises:
            RunError: a rung does not come before the end of that.
        """
        if config.early_stopping is None:
            return cls()
        epochs, rungs = evaluator.epochs, config.early_stopping.rungs_of(evaluator.epochs)
        reference = reference_trial(records)
        if config.early_stopping.rungs == "auto" and reference is not None:
            rungs = tuple(sorted(reference.rung_results))
        if not rungs:
            return cls()
        if rungs[-1] >= epochs:
            raise RunError(
                f"there is nothing to compare trials of {epochs} epochs at before their end: "
                f"rungs {list(rungs)}",
                where="search.early_stopping.rungs",
                next_step="a rung lies between 1 and the epochs before the last",
            )
        return cls(rungs, config.early_stopping.reduction_factor, epochs, objectives)

    def next_epochs(self, record: TrialRecord, records: Sequence[TrialRecord]) -> int | None:
        """How many epochs a trial is to be trained for now, from its first; None is all.

        Args:
            record: a trial that has not begun, or was stopped.
            records: all trials.
        """
        if record.baseline is not None:
            return None
        reached = max(record.rung_results, default=0)
        return next((at for at in self.valid_rungs(records) if at > reached), self.epochs)

    def promotion(self, records: Sequence[TrialRecord]) -> Promotion | None:
        """Who goes on now: of the latest rung that lets any go on, the best."""
        for rung in reversed(self.valid_rungs(records)):
            ranked = rank_at_epoch(records, rung, self.objectives)
            for place, record in enumerate(ranked[: self.num_promoted(len(ranked))], start=1):
                if record.state == "paused" and max(record.rung_results) == rung:
                    epochs = self.next_epochs(record, records)
                    assert epochs is not None  # it is no baseline, and there are rungs
                    reason = f"place {place} of {len(ranked)} at epoch {rung}"
                    return Promotion(record, epochs, reason)
        return None

    def num_promoted(self, count: int) -> int:
        """How many of so many go on: at least one, so that some trial comes to its end."""
        return -(-count // self.reduction_factor)

    def valid_rungs(self, records: Sequence[TrialRecord]) -> tuple[int, ...]:
        """The rungs at which Δm is defined: at others nobody stops."""
        left_out = dict(self.invalid_rungs(records))
        return tuple(rung for rung in self.rungs if rung not in left_out)

    def invalid_rungs(self, records: Sequence[TrialRecord]) -> Iterator[tuple[int, str]]:
        """Rungs that cannot be used, with the reason: a metric may still be 0 there."""
        for rung in self.rungs:
            reference = reference_at(records, rung)
            _, reason = delta_m(reference, reference)
            if reason:
                yield rung, reason
