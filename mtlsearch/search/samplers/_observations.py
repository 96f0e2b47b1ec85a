"""What a search has learnt so far, as samplers see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from mtlsearch.results import DELTA_M, TaskResult, TrialRecord, delta_m, reference_trial
from mtlsearch.search.samplers._learning_curve import LearningCurveModel
from mtlsearch.search.space import Proposal
from mtlsearch.study import FINISHED_STATES, TrialStore


@dataclass(frozen=True, slots=True)
class Observation:
    """A candidate that is settled: measured, stopped early, or found not to train.

    Attributes:
        proposal: what it was and how it was asked for.
        digest: the candidate's.
        changes: each task's relative change against the ``independent`` trial, in percent,
            higher is better; of one that was stopped, what it would have come to; None where
            it failed or was not trained.
        aims: its value by each of several objectives; None where Δm is the only one.
        over_budget: whether it costs more than the run allows; a baseline may.
    """

    proposal: Proposal
    digest: str
    changes: Mapping[str, float] | None
    aims: tuple[float, ...] | None = None
    over_limits: bool = False

    @property
    def value(self) -> float | None:
        """Its Δm in percent; None where it failed."""
        return None if self.changes is None else fmean(self.changes.values())

    @property
    def values(self) -> tuple[float, ...] | None:
        """What Optuna's samplers are told: a number an objective; None where it failed."""
        value = self.value
        if value is None:
            return None
        return (value,) if self.aims is None else self.aims


class ObservationHistory:
    """Reads what was tried from a store, each trial once.

    Args:
        store: the trials of a run.
    """

    def __init__(self, store: TrialStore) -> None:
        self._store = store
        self._reference: TrialRecord | None = None
        self._known: dict[int, _Measured] = {}

    @property
    def has_reference(self) -> bool:
        """Whether the ``independent`` trial was measured when last read."""
        return self._reference is not None

    def read(self) -> list[Observation]:
        """All settled trials, by number."""
        records = self._store.records()
        reference = reference_trial(records)
        if reference is not self._reference:
            self._reference, self._known = reference, {}
        states = (*FINISHED_STATES, "infeasible")
        measured = [self._measured(record) for record in records if record.state in states]
        outlook = LearningCurveModel.of(
            [(at.rungs, at.end) for at in measured if at.end is not None]
        )
        return [self._tried(at, outlook) for at in measured]

    def _measured(self, record: TrialRecord) -> _Measured:
        known = self._known.get(record.number)
        # The store hands out the same object as long as nothing was written to the trial.
        if known is None or known.record is not record:
            known = self._known[record.number] = _measure(record, self._reference)
        return known

    def _tried(self, measured: _Measured, outlook: LearningCurveModel) -> Observation:
        record, changes = measured.record, measured.end
        if record.state == "paused":
            rung = max(record.rung_results)
            changes = outlook.end(rung, measured.rungs[rung]) if rung in measured.rungs else None
        trial = self._store.trials[record.number]
        proposal = Proposal(record.candidate, trial.params, trial.distributions, record.baseline)
        aims = self._aims(record, changes)
        if aims is None and self._store.objectives != (DELTA_M,):
            changes = None  # an objective of it is undefined: nothing is learnt of it
        return Observation(
            proposal, record.candidate.digest, changes, aims, over_limits=bool(record.over_limits)
        )

    def _aims(
        self, record: TrialRecord, changes: Mapping[str, float] | None
    ) -> tuple[float, ...] | None:
        """Values by several objectives; a stopped trial's metrics are those where it stopped."""
        objectives = self._store.objectives
        if objectives == (DELTA_M,) or changes is None or self._reference is None:
            return None
        results = record.results or record.rung_results[max(record.rung_results)]
        values = [
            fmean(changes.values())
            if objective == DELTA_M
            else objective.value(record, results, self._reference.results)
            for objective in objectives
        ]
        known = tuple(value for value in values if value is not None)
        return known if len(known) == len(values) else None


@dataclass(frozen=True, slots=True)
class _Measured:
    """A record's changes: at the end, if it came to it, and at the rungs."""

    record: TrialRecord
    end: Mapping[str, float] | None
    rungs: Mapping[int, Mapping[str, float]]


def _measure(record: TrialRecord, reference: TrialRecord | None) -> _Measured:
    if reference is None:
        return _Measured(record, None, {})
    end = task_changes(record.results, reference.results) if record.state == "complete" else None
    rungs = {
        rung: task_changes(results, reference.rung_results.get(rung, {}))
        for rung, results in record.rung_results.items()
    }
    return _Measured(record, end, {rung: at for rung, at in rungs.items() if at is not None})


def task_changes(
    results: Mapping[str, TaskResult], reference: Mapping[str, TaskResult]
) -> dict[str, float] | None:
    """Each task's own part of Δm, in percent; None where Δm is undefined."""
    if set(results) != set(reference):
        return None
    changes = {task: delta_m({task: results[task]}, {task: reference[task]})[0] for task in results}
    known = {task: change for task, change in changes.items() if change is not None}
    return known if known and len(known) == len(changes) else None


def measured_digests(tried: Sequence[Observation]) -> frozenset[str]:
    """Digests of the candidates that are not to be proposed again."""
    return frozenset(trial.digest for trial in tried)
