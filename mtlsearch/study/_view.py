"""Snapshot of a study."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from optuna.distributions import BaseDistribution

from mtlsearch.results import (
    DELTA_M,
    FINISHED_STATES,
    Objective,
    RungRank,
    StudyIndex,
    TaskResult,
    TrialRecord,
    rank_at_epoch,
    rung_ranks,
)


@dataclass(frozen=True, slots=True)
class SuggestedParams:
    """What Optuna stores about a trial besides its record.

    Attributes:
        params: value by parameter name; empty if the candidate space cannot express the candidate.
        distributions: distribution by parameter name.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StudyView:
    """Trials of a study at one moment, with the values that are derived from them.

    A view does not change. The views of a store share an index, which each trial that changes
    updates. So the values of the newest view take the same time after many trials as after few.
    A view that is older than its index computes the values of its own records. A view is equal
    only to itself, so that it can be the key of a cache.

    Attributes:
        records: all trial records, by number.
        objectives: the objectives of the study.
        params_by_number: params and distributions of each trial, by trial number.
        repeats: trainings of trials with other seeds, by number; they are not in ``records``.
        compressed: compressed trials, by number; no sampler, surrogate or verdict uses them.
        index: derived values of a store that may have further trials; None to compute them.
        revision: number of changes in the index up to this view.
    """

    records: tuple[TrialRecord, ...] = ()
    objectives: tuple[Objective, ...] = (DELTA_M,)
    params_by_number: Mapping[int, SuggestedParams] = field(default_factory=dict)
    repeats: tuple[TrialRecord, ...] = ()
    compressed: tuple[TrialRecord, ...] = ()
    index: StudyIndex | None = field(default=None, repr=False)
    revision: int = field(default=0, repr=False)

    @property
    def _index(self) -> StudyIndex:
        if self.index is not None and self.index.revision == self.revision:
            return self.index
        return self._own_index

    @cached_property
    def _own_index(self) -> StudyIndex:
        index = StudyIndex(self.objectives)
        index.update((*self.records, *self.repeats))
        return index

    def with_delta_m_only(self) -> StudyView:
        """Return the study with Δm as its only objective, which verdicts and estimates use.

        Returns:
            A view of the same trials.
        """
        if self.objectives == (DELTA_M,):
            return self
        return StudyView(
            records=self.records, params_by_number=self.params_by_number, repeats=self.repeats
        )

    def changed_since(self, earlier: StudyView) -> tuple[int, ...] | None:
        """Return which trials are new or changed, for values that are computed trial by trial.

        Args:
            earlier: a view that is not newer than this one.

        Returns:
            Numbers of trials and second seeds, each once; None if the views are of different
            stores, so that all trials may have changed.
        """
        if self.index is None or self.index is not earlier.index:
            return None
        return self.index.changed_between(earlier.revision, self.revision)

    @cached_property
    def networks(self) -> tuple[TrialRecord, ...]:
        """All records of a leaderboard by number: the trials and the compressed trials."""
        return tuple(sorted((*self.records, *self.compressed), key=lambda record: record.number))

    @cached_property
    def running(self) -> tuple[TrialRecord, ...]:
        """The trials and second seeds that a worker trains at this moment."""
        return self._index.running

    def record(self, number: int) -> TrialRecord:
        """Return a trial or second seed.

        Args:
            number: its number.

        Returns:
            The record.
        """
        return self._index.record(number)

    @cached_property
    def num_finished(self) -> int:
        """Number of trials that are complete, paused or failed, second seeds included."""
        return self._index.num_finished

    def repeats_of(self, number: int) -> tuple[TrialRecord, ...]:
        """Return the finished trainings of a trial with other seeds.

        Args:
            number: trial number.

        Returns:
            The records, in the order of the trainings.
        """
        return self._repeats_by_number.get(number, ())

    @cached_property
    def _repeats_by_number(self) -> dict[int, tuple[TrialRecord, ...]]:
        by_number: dict[int, list[TrialRecord]] = {}
        for record in self.repeats:
            if record.repeats is not None and record.state in FINISHED_STATES:
                by_number.setdefault(record.repeats, []).append(record)
        return {number: tuple(repeats) for number, repeats in by_number.items()}

    @cached_property
    def reference(self) -> TrialRecord | None:
        """The complete ``independent`` baseline, to which Δm refers."""
        return self._index.reference

    def reference_results(self, epoch: int | None = None) -> Mapping[str, TaskResult]:
        """Return the results of the reference.

        Args:
            epoch: a rung, from 1; None for the last epoch.

        Returns:
            Result by task; empty if the reference has none.
        """
        if self.reference is None:
            return {}
        if epoch is None:
            return self.reference.results
        return self.reference.rung_results.get(epoch, {})

    @cached_property
    def delta_m_by_number(self) -> Mapping[int, float]:
        """Δm in percent of each complete trial that has one, by trial number."""
        return MappingProxyType(self._index.delta_m_by_number())

    @cached_property
    def best(self) -> tuple[int, float] | None:
        """Number and Δm of the best complete trial within the limits; None if none is complete."""
        return self._index.best

    def paused_outside(self, rungs: Collection[int]) -> tuple[TrialRecord, ...]:
        """Return the paused trials whose last rung is none of some rungs.

        Args:
            rungs: epochs, from 1.

        Returns:
            Records by number.
        """
        return self._index.paused_outside(rungs)

    @cached_property
    def rung_ranks(self) -> Mapping[int, RungRank]:
        """Rank of each paused trial at its rung, by trial number."""
        return MappingProxyType(rung_ranks(self.records, self.objectives))

    def rung_rank(self, number: int) -> RungRank:
        """Return the rank of one paused trial at its rung.

        Args:
            number: number of a paused trial.

        Returns:
            The same rank as in :attr:`rung_ranks`.
        """
        rank = self._index.rung_rank(number)
        return self.rung_ranks[number] if rank is None else rank

    def best_paused(self, epoch: int) -> tuple[TrialRecord, int, int] | None:
        """Return the paused trial that ranks first among those whose last rung is an epoch.

        Args:
            epoch: the rung, from 1.

        Returns:
            The trial, its rank from 1 among all trials measured at the rung, and their number;
            None if no trial is paused there.
        """
        if len(self.objectives) == 1:
            return self._index.best_paused(epoch)
        ranked = self.rung_ranking(epoch)
        for rank, record in enumerate(ranked, start=1):
            if record.state == "paused" and max(record.rung_results) == epoch:
                return record, rank, len(ranked)
        return None

    def rung_ranking(self, epoch: int) -> tuple[TrialRecord, ...]:
        """Return the proposed trials that were measured at a rung.

        Args:
            epoch: the rung, from 1.

        Returns:
            Records, the best first; computed once per rung.
        """
        if epoch not in self._ranked_by_epoch:
            ranked = tuple(rank_at_epoch(self.records, epoch, self.objectives))
            self._ranked_by_epoch[epoch] = ranked
        return self._ranked_by_epoch[epoch]

    @cached_property
    def _ranked_by_epoch(self) -> dict[int, tuple[TrialRecord, ...]]:
        return {}
