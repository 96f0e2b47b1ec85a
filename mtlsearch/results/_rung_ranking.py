"""Ranks of trials at a rung: after the same number of epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtlsearch.results._delta_m import delta_m, reference_at
from mtlsearch.results._objective import DELTA_M, Objective
from mtlsearch.results._pareto import sort_by_dominance
from mtlsearch.results._trial import TrialRecord


@dataclass(frozen=True, slots=True)
class RungRank:
    """Rank of a paused trial among all trials measured at its rung.

    Attributes:
        epoch: the rung, from 1.
        rank: rank from 1, the best.
        num_trials: number of trials measured there, without baselines.
        delta_m: Δm in percent against the ``independent`` trial at that epoch; None if undefined.
    """

    epoch: int
    rank: int
    num_trials: int
    delta_m: float | None

    def __str__(self) -> str:
        return f"{_ordinal(self.rank)} of {self.num_trials} at epoch {self.epoch}"


def rank_at_epoch(
    records: Sequence[TrialRecord], epoch: int, objectives: Sequence[Objective] = (DELTA_M,)
) -> list[TrialRecord]:
    """Return all proposed trials that were measured at a rung, the best first.

    The ``independent`` trial is compared at the same epoch too, because results at different
    epochs are not comparable.

    Args:
        records: the trials of a run.
        epoch: the rung, from 1.
        objectives: the objectives to rank by.

    Returns:
        The trials, without baselines.
    """
    reference = reference_at(records, epoch)
    measured = [
        record
        for record in records
        if record.baseline is None
        and epoch in record.rung_results
        and record.state != "interrupted"  # another trial continues it
    ]
    gains = [
        [objective.gain(record, record.rung_results[epoch], reference) for objective in objectives]
        for record in measured
    ]
    return [measured[index] for index in sort_by_dominance(gains)] if measured else []


def rung_ranks(
    records: Sequence[TrialRecord], objectives: Sequence[Objective] = (DELTA_M,)
) -> dict[int, RungRank]:
    """Return the rank of each paused trial at its last rung.

    Args:
        records: the trials of a run.
        objectives: the objectives to rank by.

    Returns:
        Ranks by trial number.
    """
    rung_by_number = {
        record.number: max(record.rung_results)
        for record in records
        if record.state == "paused" and record.rung_results
    }
    rank_by_number = {}
    for epoch in sorted(set(rung_by_number.values())):
        ranked, reference = rank_at_epoch(records, epoch, objectives), reference_at(records, epoch)
        for rank, record in enumerate(ranked, start=1):
            if rung_by_number.get(record.number) == epoch:
                delta, _ = delta_m(record.rung_results[epoch], reference)
                rank_by_number[record.number] = RungRank(epoch, rank, len(ranked), delta)
    return rank_by_number


def _ordinal(number: int) -> str:
    """Return ``1st``, ``2nd``, ``3rd``, ``4th``, ``11th``."""
    suffixes = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 10 < number % 100 < 14 else suffixes.get(number % 10, 'th')}"
