"""Snapshot of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from optuna.distributions import BaseDistribution

from mtlsearch.results import (
    DELTA_M,
    Objective,
    RungRank,
    TaskResult,
    TrialRecord,
    deltas,
    rank_at_epoch,
    reference_trial,
    rung_ranks,
)

FINISHED_STATES = ("complete", "paused", "failed")
"""States of trials that count toward ``search.trials``. Their candidates do not run again."""


@dataclass(frozen=True, slots=True)
class SuggestedParams:
    """What Optuna stores about a trial besides its record.

    Attributes:
        params: value by parameter name; empty if the candidate space cannot express the candidate.
        distributions: distribution by parameter name.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyView:
    """Trials of a study at one moment, with the values that are derived from them.

    A view does not change. Derived values are computed once, when they are first used.

    Attributes:
        records: all trial records, by number.
        objectives: the objectives of the study.
        params_by_number: params and distributions of each trial, by trial number.
        repeats: trainings of trials with other seeds, by number; they are not in ``records``.
    """

    records: tuple[TrialRecord, ...] = ()
    objectives: tuple[Objective, ...] = (DELTA_M,)
    params_by_number: Mapping[int, SuggestedParams] = field(default_factory=dict)
    repeats: tuple[TrialRecord, ...] = ()

    @cached_property
    def num_finished(self) -> int:
        """Number of trials that are complete, paused or failed, second seeds included."""
        trainings = (*self.records, *self.repeats)
        return sum(record.state in FINISHED_STATES for record in trainings)

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
        return reference_trial(self.records)

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
        return MappingProxyType(deltas(self.records))

    @cached_property
    def best(self) -> tuple[int, float] | None:
        """Number and Δm of the best complete trial within the limits; None if none is complete."""
        exceeding = {record.number for record in self.records if record.over_limits}
        items = [item for item in self.delta_m_by_number.items() if item[0] not in exceeding]
        return max(items, key=lambda item: item[1], default=None)

    @cached_property
    def rung_ranks(self) -> Mapping[int, RungRank]:
        """Rank of each paused trial at its rung, by trial number."""
        return MappingProxyType(rung_ranks(self.records, self.objectives))

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
