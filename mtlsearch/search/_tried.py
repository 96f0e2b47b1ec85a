"""What a search has learnt so far, as samplers see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from mtlsearch.record import TaskResult, TrialRecord, delta_m, reference_of
from mtlsearch.search._proposal import Proposal
from mtlsearch.search._trial_store import SETTLED, TrialStore


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate that is settled: measured, or found not to train.

    Attributes:
        proposal: what it was and how it was asked for.
        digest: the candidate's.
        changes: each task's relative change against the ``independent`` trial, in percent,
            higher is better; None where it failed or was not trained.
        over_budget: whether it costs more than the run allows; a baseline may.
    """

    proposal: Proposal
    digest: str
    changes: Mapping[str, float] | None
    over_budget: bool = False

    @property
    def value(self) -> float | None:
        """Its Δm in percent; None where it failed."""
        return None if self.changes is None else fmean(self.changes.values())


class TriedTrials:
    """Reads what was tried from a store, each trial once.

    Args:
        store: the trials of a run.
    """

    def __init__(self, store: TrialStore) -> None:
        self._store = store
        self._reference: Mapping[str, TaskResult] = {}
        self._known: dict[int, tuple[TrialRecord, Tried]] = {}

    @property
    def has_reference(self) -> bool:
        """Whether the ``independent`` trial was measured when last read."""
        return bool(self._reference)

    def read(self) -> list[Tried]:
        """All settled trials, by number."""
        records = self._store.records()
        reference = reference_of(records)
        if reference is not self._reference:
            self._reference, self._known = reference, {}
        return [self._tried(record) for record in records if record.state in (*SETTLED, "rejected")]

    def _tried(self, record: TrialRecord) -> Tried:
        known = self._known.get(record.number)
        # The store hands out the same object as long as nothing was written to the trial.
        if known is not None and known[0] is record:
            return known[1]
        trial = self._store.trials[record.number]
        proposal = Proposal(record.candidate, trial.params, trial.distributions, record.role)
        tried = Tried(
            proposal, record.candidate.digest, self._changes(record), bool(record.over_budget)
        )
        self._known[record.number] = record, tried
        return tried

    def _changes(self, record: TrialRecord) -> dict[str, float] | None:
        return task_changes(record.results, self._reference) if record.state == "complete" else None


def task_changes(
    results: Mapping[str, TaskResult], reference: Mapping[str, TaskResult]
) -> dict[str, float] | None:
    """Each task's own part of Δm, in percent; None where Δm is undefined."""
    if set(results) != set(reference):
        return None
    changes = {task: delta_m({task: results[task]}, {task: reference[task]})[0] for task in results}
    known = {task: change for task, change in changes.items() if change is not None}
    return known if known and len(known) == len(changes) else None


def measured_digests(tried: Sequence[Tried]) -> frozenset[str]:
    """Digests of the candidates that are not to be proposed again."""
    return frozenset(trial.digest for trial in tried)
