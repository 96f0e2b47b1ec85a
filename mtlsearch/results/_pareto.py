"""Pareto front: dominance between trials, and the trials that no other dominates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtlsearch.results._delta_m import deltas, reference_of
from mtlsearch.results._objective import COSTS, DELTA_M, Objective
from mtlsearch.results._result import TaskResult
from mtlsearch.results._trial import TrialRecord

Gains = NDArray[np.float64]
"""``[N, K]``: K values of each of N trials; higher is better for all of them."""

FLOPS = Objective("flops", maximize=False)


def front_objectives(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """Return the objectives of the Pareto front: Δm and FLOPs if Δm is the only objective."""
    return (DELTA_M, FLOPS) if tuple(objectives) == (DELTA_M,) else tuple(objectives)


def front_of(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> list[TrialRecord]:
    """Return the trials on the Pareto front.

    Args:
        records: the trials of a run.
        objectives: the objectives to compare by.

    Returns:
        The trials that no other trial dominates; by ascending cost if an objective is a cost.
    """
    is_member = is_on_front(records, objectives)
    front = [record for record, member in zip(records, is_member, strict=True) if member]
    costs = [objective for objective in objectives if objective.name in COSTS]
    return sorted(
        front, key=lambda record: [-cost.gain(record, record.results, {}) for cost in costs]
    )


def is_on_front(
    records: Sequence[TrialRecord],
    objectives: Sequence[Objective],
    delta_by_number: Mapping[int, float] | None = None,
) -> NDArray[np.bool_]:
    """Return for each trial whether it is on the Pareto front.

    Trials that are not complete, or have an undefined objective or Δm, are not. Equal trials are
    all on the front or all off it.

    Args:
        records: the trials of a run.
        objectives: the objectives to compare by.
        delta_by_number: Δm in percent of each complete trial that has one; None to compute it.

    Returns:
        Booleans of shape ``[N]``, in the order of the trials.
    """
    reference = reference_of(records)
    values = deltas(records) if delta_by_number is None else delta_by_number
    gains = [
        _gains(record, values[record.number], objectives, reference)
        if record.number in values
        else None
        for record in records
    ]
    is_member = np.array([values is not None for values in gains], dtype=bool)
    if is_member.any():
        is_member[is_member] = pareto_front(
            np.array([values for values in gains if values is not None])
        )
    return is_member


def pareto_front(gains: Gains) -> NDArray[np.bool_]:
    """Return which rows no other row dominates.

    A row dominates another if it is at least equal in all values and better in one. Equal rows
    are all on the front or all off it.

    Args:
        gains: values of shape ``[N, K]``; higher is better.

    Returns:
        Booleans of shape ``[N]``.
    """
    # No row dominates one before it in this order, so the first of the remaining rows is on the
    # front. Comparing all pairs would take gigabytes for 10,000 rows.
    remaining = np.lexsort(-gains.T[::-1])
    is_member = np.zeros(len(gains), dtype=bool)
    while len(remaining):
        first, values = gains[remaining[0]], gains[remaining]
        is_equal = (values == first).all(axis=1)
        is_member[remaining[is_equal]] = True
        remaining = remaining[(values > first).any(axis=1)]
    return is_member


def sort_by_dominance(gains: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices of rows, the best first; of equal rows the earlier first.

    One value is sorted by size. Several values are sorted front by front, each the Pareto front
    of the remaining rows, and within a front by descending crowding distance. This is the order
    of NSGA-II (Deb et al. 2002).
    """
    values = np.array(gains, dtype=np.float64).reshape(len(gains), -1)
    if values.shape[1] == 1:
        return [int(index) for index in np.argsort(-values[:, 0], kind="stable")]
    remaining, order = np.arange(len(values)), list[int]()
    while len(remaining):
        is_member = pareto_front(values[remaining])
        front = remaining[is_member]
        by_distance = np.argsort(-_crowding_distance(values[front]), kind="stable")
        order += [int(index) for index in front[by_distance]]
        remaining = remaining[~is_member]
    return order


def _gains(
    record: TrialRecord,
    value: float,
    objectives: Sequence[Objective],
    reference: Mapping[str, TaskResult],
) -> list[float] | None:
    """Return the gains of a complete trial, given its Δm; None if one is undefined."""
    gains = [
        value if objective == DELTA_M else objective.gain(record, record.results, reference)
        for objective in objectives
    ]
    return gains if np.isfinite(gains).all() else None


def _crowding_distance(front: Gains) -> NDArray[np.float64]:
    """Return ``[N]``: the distance between the neighbors of each row, summed over columns."""
    distance = np.zeros(len(front))
    for column in np.where(np.isfinite(front), front, -1e300).T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        if span > 0:
            distance[order[[0, -1]]] = np.inf
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return distance
