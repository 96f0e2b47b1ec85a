"""Seed statistics: mean and standard error of Δm over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from mtlsearch.results._delta_m import deltas
from mtlsearch.results._trial import TrialRecord

ResultsBySeed = Mapping[int, Sequence[TrialRecord]]
"""Retrained trials by seed. Each has the number of the trial that it repeats."""


@dataclass(frozen=True, slots=True)
class SeedStatistics:
    """Δm of one trial over seeds.

    Attributes:
        num_seeds: number of seeds, including the seed of the search.
        mean: mean of Δm in percent, each against the ``independent`` trial of the same seed.
        stderr: standard error of the mean, in percent.
        tied_with_best: whether the mean difference from the best trial, paired by seed, is at
            most one standard error.
    """

    num_seeds: int
    mean: float
    stderr: float
    tied_with_best: bool = False


def finalists(records: Sequence[TrialRecord], top: int) -> list[TrialRecord]:
    """Return the trials to confirm.

    Args:
        records: the trials of a run.
        top: number of proposed trials.

    Returns:
        Both baselines, then the best proposed trials within the limits, the best first.
    """
    delta_by_number = deltas(records)
    complete = [record for record in records if record.number in delta_by_number]
    baselines = [record for record in complete if record.baseline is not None]
    proposed = [record for record in complete if record.baseline is None and not record.over_limits]
    ranked = sorted(proposed, key=lambda record: -delta_by_number[record.number])
    return [*baselines, *ranked[:top]]


def seed_statistics(
    records: Sequence[TrialRecord], results_by_seed: ResultsBySeed, top: int | None
) -> dict[int, SeedStatistics]:
    """Return the statistics of each confirmed trial.

    A seed counts only if all finalists were trained on it, so that all have the same seeds.
    Trials that failed on one of the seeds are left out.

    Args:
        records: the trials of a run.
        results_by_seed: the retrained trials.
        top: number of proposed finalists; None: all retrained trials, if at least one of them is
            proposed.

    Returns:
        Statistics by trial number; empty before all finalists have two seeds.
    """
    if not results_by_seed:
        return {}
    numbers = (
        _retrained_numbers(results_by_seed)
        if top is None
        else {record.number for record in finalists(records, top)}
    )
    by_seed = [deltas(records)]
    by_seed += [
        deltas(retrained)
        for retrained in results_by_seed.values()
        if numbers <= {record.number for record in retrained}
    ]
    by_seed = [delta_by_number for delta_by_number in by_seed if delta_by_number]
    deltas_of = {
        number: [
            delta_by_number[number] for delta_by_number in by_seed if number in delta_by_number
        ]
        for number in numbers
    }
    deltas_of = {
        number: values for number, values in deltas_of.items() if len(values) == len(by_seed) > 1
    }
    over_limits = {record.number for record in records if record.over_limits}
    best = max(
        (number for number in deltas_of if number not in over_limits),
        key=lambda number: fmean(deltas_of[number]),
        default=None,
    )
    return {
        number: SeedStatistics(
            num_seeds=len(values),
            mean=fmean(values),
            stderr=standard_error(values),
            tied_with_best=best is not None
            and number not in {best, *over_limits}
            and _is_tied(deltas_of[best], values),
        )
        for number, values in sorted(deltas_of.items())
    }


def _retrained_numbers(results_by_seed: ResultsBySeed) -> set[int]:
    """Return the numbers of the retrained trials; empty if all of them are baselines."""
    retrained = [record for records in results_by_seed.values() for record in records]
    if all(record.baseline is not None for record in retrained):
        return set()
    return {record.number for record in retrained}


def _is_tied(best: Sequence[float], values: Sequence[float]) -> bool:
    differences = [high - low for high, low in zip(best, values, strict=True)]
    return fmean(differences) <= standard_error(differences)


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of two or more values."""
    return stdev(values) / math.sqrt(len(values))
