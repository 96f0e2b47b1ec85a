"""How trials stand among each other after the same number of epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtlsearch.results._delta_m import delta_m, reference_at
from mtlsearch.results._objective import DELTA_M, Objective
from mtlsearch.results._pareto import sort_by_dominance
from mtlsearch.results._trial import TrialRecord


@dataclass(frozen=True, slots=True)
class RungRank:
    """A stopped trial among all that were measured at the epoch where it stopped.

    Attributes:
        epoch: after which it stopped, from 1.
        place: from 1, the best.
        of: how many were measured there; baselines do not count.
        delta_m: its Δm against the ``independent`` trial at that epoch, percent.
    """

    epoch: int
    place: int
    of: int
    delta_m: float | None

    def __str__(self) -> str:
        return f"{_ordinal(self.place)} of {self.of} at epoch {self.epoch}"


def rank_at_epoch(
    records: Sequence[TrialRecord], epoch: int, objectives: Sequence[Objective] = (DELTA_M,)
) -> list[TrialRecord]:
    """All proposed trials that were measured after an epoch, the best first.

    They are compared by what was measured *there*, the ``independent`` trial included: a
    curve's beginning says nothing against another's end.
    """
    reference = reference_at(records, epoch)
    there = [
        record for record in records if record.baseline is None and epoch in record.rung_results
    ]
    gains = [
        [objective.gain(record, record.rung_results[epoch], reference) for objective in objectives]
        for record in there
    ]
    return [there[at] for at in sort_by_dominance(gains)] if there else []


def rung_ranks(
    records: Sequence[TrialRecord], objectives: Sequence[Objective] = (DELTA_M,)
) -> dict[int, RungRank]:
    """How every stopped trial stands where it stopped, by number."""
    stopped = {
        at.number: max(at.rung_results)
        for at in records
        if at.state == "paused" and at.rung_results
    }
    found = {}
    for epoch in sorted(set(stopped.values())):
        ranked, reference = rank_at_epoch(records, epoch, objectives), reference_at(records, epoch)
        for place, record in enumerate(ranked, start=1):
            if stopped.get(record.number) == epoch:
                value, _ = delta_m(record.rung_results[epoch], reference)
                found[record.number] = RungRank(epoch, place, len(ranked), value)
    return found


def _ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``3rd``, ``4th``, ``11th``."""
    special = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if 10 < number % 100 < 14 else special.get(number % 10, 'th')}"
