"""Which tasks to train together, by their lookahead affinity; no torch.

As in Fifty et al. 2021, a task of a group is worth the mean affinity of the others of the
group onto it. A task alone is worth 0: nobody's step changes its loss. The paper is given how
many groups there are to be. Here it is as few as are not clearly worth less than the best
grouping: tasks part only where something speaks for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mtlsearch.affinity._affinity import Affinity
from mtlsearch.affinity._plan_score import MOST_TASKS
from mtlsearch.plan import refinements

ERRORS = 2.0
"""So many standard errors from 0 are told from chance."""

Groups = tuple[tuple[str, ...], ...]


def best_groups(affinity: Affinity) -> Groups | None:
    """The fewest groups that are worth as much as any but for chance; None for many tasks."""
    count = len(affinity.tasks)
    if count > MOST_TASKS:
        return None
    rows = refinements((0,) * count)
    worths = [_worth(affinity, row) for row in rows]
    best, spread = max(worths)
    good = [
        (max(row), -value, row)
        for row, (value, error) in zip(rows, worths, strict=True)
        if value >= best - ERRORS * math.hypot(spread, error) - 1e-12
    ]
    *_, chosen = min(good)
    return tuple(
        tuple(task for task, at in zip(affinity.tasks, chosen, strict=True) if at == group)
        for group in range(max(chosen) + 1)
    )


def tasks_to_leave_out(affinity: Affinity) -> tuple[str, ...]:
    """Tasks of three or more that get on with nobody.

    With every other task both ways together lower the losses of neither, and their mean over
    other tasks is below 0 by more than chance would have it; nor do their gradients agree.
    """
    return tuple(_outsiders(affinity)) if len(affinity.tasks) > 2 else ()


def _outsiders(affinity: Affinity) -> Iterator[str]:
    mutual = (affinity.lookahead + affinity.lookahead.T) / 2
    error = np.sqrt(affinity.lookahead_error**2 + affinity.lookahead_error.T**2) / 2
    for at, task in enumerate(affinity.tasks):
        with_others = np.delete(mutual[at], at)
        spread = np.sqrt((np.delete(error[at], at) ** 2).mean() / len(with_others))
        cosines = np.delete(affinity.gradients[:, at], at, axis=1)
        # Comparisons with NaN, which stands for what is not known, are false.
        told = with_others.mean() + ERRORS * spread < 0
        if bool((with_others < 0).all() and told and cosines.mean() < 0):
            yield task


def _worth(affinity: Affinity, row: tuple[int, ...]) -> tuple[float, float]:
    """What a grouping is worth, and the standard error of that."""
    # What was seen in fewer than two steps is not known.
    known = np.isfinite(affinity.lookahead) & np.isfinite(affinity.lookahead_error)
    gains = np.where(known, affinity.lookahead, 0.0)
    variances = np.where(known, affinity.lookahead_error**2, 0.0)
    numbers = np.array(row)
    worth = variance = 0.0
    for at, group in enumerate(row):
        others = [one for one in np.flatnonzero(numbers == group) if one != at]
        if others:
            worth += float(gains[others, at].mean())
            variance += float(variances[others, at].sum()) / len(others) ** 2
    return worth, math.sqrt(variance)
