"""What several seeds say of the best trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from mtlsearch.results._delta_m import deltas
from mtlsearch.results._trial import TrialRecord

ResultsBySeed = Mapping[int, Sequence[TrialRecord]]
"""Trials trained again, by seed; each bears the number of the trial that it repeats."""


@dataclass(frozen=True, slots=True)
class SeedStatistics:
    """Δm of one trial over seeds.

    Attributes:
        num_seeds: how many, the search's own among them.
        mean: of Δm in percent, each against the ``independent`` of its own seed.
        stderr: standard error of that mean.
        tied_with_best: whether it cannot be told from the best one: their difference, seed by seed, is
            on average within one standard error of nothing.
    """

    num_seeds: int
    mean: float
    stderr: float
    tied_with_best: bool = False


def finalists(records: Sequence[TrialRecord], top: int) -> list[TrialRecord]:
    """Both baselines, then the best ``top`` proposed trials within the budget, best first."""
    known = deltas(records)
    complete = [record for record in records if record.number in known]
    baselines = [record for record in complete if record.baseline is not None]
    proposed = [record for record in complete if record.baseline is None and not record.over_limits]
    ranked = sorted(proposed, key=lambda record: -known[record.number])
    return [*baselines, *ranked[:top]]


def confirmed(
    records: Sequence[TrialRecord], repeats: ResultsBySeed, top: int | None
) -> dict[int, SeedStatistics]:
    """What is known of each trial that was to be confirmed; nothing before all have two seeds.

    A seed counts once every one of them was trained on it, so that all are judged by the same
    ones. Who failed to train on one is not confirmed.

    Args:
        records: the trials of a run.
        repeats: what was trained again.
        top: how many of the best are to be, beside the baselines; None: whoever was trained
            again, if that is more than baselines.
    """
    chosen = (
        _trained_again(repeats)
        if top is None
        else {record.number for record in finalists(records, top)}
    )
    columns = [deltas(records)]
    columns += [deltas(at) for at in repeats.values() if chosen <= {each.number for each in at}]
    columns = [column for column in columns if column]
    values = {at: [column[at] for column in columns if at in column] for at in chosen}
    values = {at: known for at, known in values.items() if len(known) == len(columns) > 1}
    dear = {record.number for record in records if record.over_limits}
    best = max(
        (at for at in values if at not in dear), key=lambda at: fmean(values[at]), default=None
    )
    return {
        at: SeedStatistics(
            len(known),
            fmean(known),
            _error(known),
            best is not None and at not in {best, *dear} and _ties(values[best], known),
        )
        for at, known in sorted(values.items())
    }


def _trained_again(repeats: ResultsBySeed) -> set[int]:
    again = [record for at in repeats.values() for record in at]
    return {at.number for at in again} if any(at.baseline is None for at in again) else set()


def _ties(best: Sequence[float], other: Sequence[float]) -> bool:
    apart = [high - low for high, low in zip(best, other, strict=True)]
    return fmean(apart) <= _error(apart)


def _error(values: Sequence[float]) -> float:
    return stdev(values) / math.sqrt(len(values))
