"""Who is beaten by whom, where there is more than one thing to be good at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Gains = NDArray[np.float64]
"""``[N, K]``: K numbers of each of N, of all of which more is better."""


def pareto_front(gains: Gains) -> NDArray[np.bool_]:
    """``[N]``: who is not beaten.

    One is beaten by another that has no less of anything and more of something. Of equal
    ones all are on the front, or none.
    """
    no_less = (gains[:, None] >= gains).all(axis=2)
    more = (gains[:, None] > gains).any(axis=2)
    return np.asarray(~(no_less & more).any(axis=0))


def sort_by_dominance(gains: Sequence[Sequence[float]]) -> list[int]:
    """Places, the best first; of equal ones the earlier.

    With one number, by that number. With several, front after front (each the front of what
    the earlier ones leave), and in a front those with the most room around them first: the
    order by which NSGA-II lets survive (Deb et al. 2002).
    """
    values = np.array(gains, dtype=np.float64).reshape(len(gains), -1)
    if values.shape[1] == 1:
        return [int(at) for at in np.argsort(-values[:, 0], kind="stable")]
    left, order = np.arange(len(values)), list[int]()
    while len(left):
        on_front = pareto_front(values[left])
        front = left[on_front]
        roomiest = np.argsort(-_room(values[front]), kind="stable")
        order += [int(at) for at in front[roomiest]]
        left = left[~on_front]
    return order


def _room(front: Gains) -> NDArray[np.float64]:
    """``[N]``: the distance between each one's neighbours, summed over what is compared."""
    room = np.zeros(len(front))
    for column in np.where(np.isfinite(front), front, -1e300).T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        if span > 0:
            room[order[[0, -1]]] = np.inf
            room[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return room
