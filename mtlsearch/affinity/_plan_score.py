"""Plan scores from the similarity of single-task representations; without torch.

Tasks should share a unit while the outputs of their single-task networks are similar after it,
as in Branched Multi-Task Networks (Vandenhende et al. 2020). There, the *dissimilarity* of a
plan is the sum of ``1 - similarity`` over units and pairs of tasks that share them. The plan
that shares nothing has the smallest one, so every unit and pair that is not shared needs a
price. With the price ``1 - threshold``, minimizing the sum of dissimilarity and price is
maximizing ``similarity - threshold``, summed over everything that is shared. This sum is the
score of a plan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtlsearch.affinity._affinity import Affinity, Array
from mtlsearch.plan import SharingPlan, refinements

MAX_TASKS = 9
"""Largest number of tasks for which all partitions are compared; ten tasks have 115,975."""

Row = tuple[int, ...]


def similarity_threshold(affinity: Affinity, quantile: float | None = None) -> float:
    """Return the similarity above which sharing raises the score of a plan.

    Args:
        affinity: the task affinity.
        quantile: quantile of the similarities over all units and pairs, 0 to 1; by default,
            their mean is used.

    Returns:
        The threshold, from -1 to 1; 0 if no similarity was measured.
    """
    similarities = _similarities(affinity)
    similarities = similarities[np.isfinite(similarities)]
    if not similarities.size:
        return 0.0
    return float(similarities.mean() if quantile is None else np.quantile(similarities, quantile))


def plan_scores(affinity: Affinity, plans: Sequence[SharingPlan], threshold: float) -> Array:
    """Return the score of each plan; see the module.

    Args:
        affinity: the task affinity.
        plans: N sharing plans of the same tasks and units.
        threshold: similarity above which sharing raises the score.

    Returns:
        Scores, ``[N]``.
    """
    gain = _gain(affinity, threshold)
    rows = np.array([plan.rows for plan in plans])
    scores = np.zeros(len(plans))
    for i, j in affinity.pairs:
        is_shared = (rows[:, :, i] == rows[:, :, j]) & (rows[:, :, i] >= 0)
        scores += is_shared @ gain[:, i, j]
    return scores


def best_tree(affinity: Affinity, threshold: float) -> SharingPlan | None:
    """Return the tree with the highest score; of equal ones, the one that shares more.

    The result is exact, by dynamic programming from the last unit to the first: the best
    partitions after a unit depend only on its own partition.

    Args:
        affinity: the task affinity.
        threshold: similarity above which sharing raises the score.

    Returns:
        The plan; None for more than 9 tasks.
    """
    if len(affinity.tasks) > MAX_TASKS:
        return None
    gain = _gain(affinity, threshold)
    best_by_state: dict[tuple[int, Row], tuple[float, tuple[Row, ...]]] = {}

    def best_below(unit: int, row_above: Row) -> tuple[float, tuple[Row, ...]]:
        if unit == len(affinity.units):
            return 0.0, ()
        if (unit, row_above) not in best_by_state:
            options = []
            for row in refinements(row_above):
                score, rows = best_below(unit + 1, row)
                options.append((_row_gain(gain[unit], row) + score, (row, *rows)))
            best_by_state[unit, row_above] = max(options, key=lambda option: option[0])
        return best_by_state[unit, row_above]

    return SharingPlan(affinity.tasks, best_below(0, (0,) * len(affinity.tasks))[1])


def _row_gain(gain: Array, row: Row) -> float:
    groups = np.array(row)
    is_shared = np.triu(groups[:, None] == groups, k=1)
    # Rounded, so that the order of the summands does not decide between equal sums.
    return round(float(gain[is_shared].sum()), 9)


def _gain(affinity: Affinity, threshold: float) -> Array:
    """Return the gain of sharing, ``[U, T, T]``; 0 where the similarity was not measured."""
    return np.nan_to_num(affinity.representations - threshold)


def _similarities(affinity: Affinity) -> Array:
    """Return the similarities of all P pairs of tasks, ``[U, P]``."""
    return np.array([[unit[i, j] for i, j in affinity.pairs] for unit in affinity.representations])
