"""What a plan promises by the looks of single-task representations; no torch.

Tasks should share a unit as long as their single-task networks see images alike behind it,
as in Branched Multi-Task Networks (Vandenhende et al. 2020): a plan's *dissimilarity* is the
sum of ``1 - similarity`` over units and pairs of tasks that share them. Least of it has the
plan that shares nothing, so there is a price for every unit and pair that is not shared. With
a price of ``1 - level`` the sum of both is least where ``similarity - level``, summed over what
is shared, is largest. That is what a plan promises.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtlsearch.affinity._affinity import Affinity, Array
from mtlsearch.plan import SharingPlan, refinements

MOST_TASKS = 9
"""Of more tasks there are too many partitions to look at: 115,975 of ten."""

Row = tuple[int, ...]


def similarity_threshold(affinity: Affinity, part: float | None = None) -> float:
    """The similarity from which on sharing is to pay.

    Args:
        affinity: the affinity.
        part: the quantile of all units' and pairs' similarities; by default their mean.
    """
    known = _similarities(affinity)
    known = known[np.isfinite(known)]
    if not known.size:
        return 0.0
    return float(known.mean() if part is None else np.quantile(known, part))


def plan_scores(affinity: Affinity, plans: Sequence[SharingPlan], level: float) -> Array:
    """``[N]``: what is shared above the level less what is shared below it; see the module."""
    gain = _gain(affinity, level)
    rows = np.array([plan.rows for plan in plans])
    found = np.zeros(len(plans))
    for one, other in affinity.pairs:
        together = (rows[:, :, one] == rows[:, :, other]) & (rows[:, :, one] >= 0)
        found += together @ gain[:, one, other]
    return found


def best_tree(affinity: Affinity, level: float) -> SharingPlan | None:
    """The tree plan that promises most, the one that shares more of two; None for many tasks.

    Exact, by dynamic programming from the last unit up: what is best below a unit depends on
    its partition alone.
    """
    if len(affinity.tasks) > MOST_TASKS:
        return None
    gain = _gain(affinity, level)
    known: dict[tuple[int, Row], tuple[float, tuple[Row, ...]]] = {}

    def below(unit: int, above: Row) -> tuple[float, tuple[Row, ...]]:
        if unit == len(affinity.units):
            return 0.0, ()
        if (unit, above) not in known:
            tries = []
            for row in refinements(above):
                rest, rows = below(unit + 1, row)
                tries.append((_row_gain(gain[unit], row) + rest, (row, *rows)))
            known[unit, above] = max(tries, key=lambda at: at[0])
        return known[unit, above]

    return SharingPlan(affinity.tasks, below(0, (0,) * len(affinity.tasks))[1])


def _row_gain(gain: Array, row: Row) -> float:
    numbers = np.array(row)
    together = np.triu(numbers[:, None] == numbers, k=1)
    # Rounded, so that sums of the same numbers in another order are not better or worse.
    return round(float(gain[together].sum()), 9)


def _gain(affinity: Affinity, level: float) -> Array:
    """``[U, T, T]``; what is not known is neither good nor bad."""
    return np.nan_to_num(affinity.representations - level)


def _similarities(affinity: Affinity) -> Array:
    """``[U, P]``."""
    return np.array(
        [[unit[one, other] for one, other in affinity.pairs] for unit in affinity.representations]
    )
