"""Task grouping: which tasks to train together, by lookahead affinity; without torch.

As in Fifty et al. 2021, the score of a task in a group is the mean affinity of the other tasks
of the group onto it. A task alone scores 0, because no step of another task changes its loss.
In the paper, the number of groups is given. Here it is the smallest number whose score is not
significantly below the best score, so that tasks separate only with evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mtlsearch.affinity._affinity import Affinity
from mtlsearch.affinity._plan_score import MAX_TASKS
from mtlsearch.plan import refinements

SIGNIFICANCE = 2.0
"""Number of standard errors from which on a difference is significant."""

Groups = tuple[tuple[str, ...], ...]


def best_groups(affinity: Affinity) -> Groups | None:
    """Return the smallest number of groups whose score is not significantly below the best.

    Args:
        affinity: the task affinity.

    Returns:
        Groups of task names; None for more than 9 tasks.
    """
    num_tasks = len(affinity.tasks)
    if num_tasks > MAX_TASKS:
        return None
    rows = refinements((0,) * num_tasks)
    scores = [_score(affinity, row) for row in rows]
    best, best_error = max(scores)
    candidates = [
        (max(row), -score, row)
        for row, (score, error) in zip(rows, scores, strict=True)
        if score >= best - SIGNIFICANCE * math.hypot(best_error, error) - 1e-12
    ]
    *_, chosen = min(candidates)
    return tuple(
        tuple(task for task, index in zip(affinity.tasks, chosen, strict=True) if index == group)
        for group in range(max(chosen) + 1)
    )


def tasks_to_leave_out(affinity: Affinity) -> tuple[str, ...]:
    """Return tasks that conflict with every other task; none if there are only two tasks.

    Such a task has a negative affinity with every other task, averaged over both directions.
    The mean of these is significantly below 0, and the mean cosine of its gradients is negative.

    Args:
        affinity: the task affinity.

    Returns:
        Task names, sorted.
    """
    return tuple(_conflicting_tasks(affinity)) if len(affinity.tasks) > 2 else ()


def _conflicting_tasks(affinity: Affinity) -> Iterator[str]:
    mutual = (affinity.lookahead + affinity.lookahead.T) / 2
    error = np.sqrt(affinity.lookahead_error**2 + affinity.lookahead_error.T**2) / 2
    for index, task in enumerate(affinity.tasks):
        with_others = np.delete(mutual[index], index)
        mean_error = np.sqrt((np.delete(error[index], index) ** 2).mean() / len(with_others))
        cosines = np.delete(affinity.gradients[:, index], index, axis=1)
        # Comparisons with NaN, which marks missing measurements, are false.
        is_significant = with_others.mean() + SIGNIFICANCE * mean_error < 0
        if bool((with_others < 0).all() and is_significant and cosines.mean() < 0):
            yield task


def _score(affinity: Affinity, row: tuple[int, ...]) -> tuple[float, float]:
    """Return the score of a grouping and its standard error."""
    # The error is missing for pairs that were measured in fewer than two steps.
    is_measured = np.isfinite(affinity.lookahead) & np.isfinite(affinity.lookahead_error)
    decreases = np.where(is_measured, affinity.lookahead, 0.0)
    variances = np.where(is_measured, affinity.lookahead_error**2, 0.0)
    group_by_index = np.array(row)
    score = variance = 0.0
    for index, group in enumerate(row):
        others = [other for other in np.flatnonzero(group_by_index == group) if other != index]
        if others:
            score += float(decreases[others, index].mean())
            variance += float(variances[others, index].sum()) / len(others) ** 2
    return score, math.sqrt(variance)
