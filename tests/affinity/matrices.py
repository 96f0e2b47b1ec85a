"""Affinities with given matrices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtlsearch.affinity import Affinity
from mtlsearch.affinity._affinity import Array

Pairs = Mapping[tuple[str, str], float]


def symmetric(tasks: str, pairs: Pairs, diagonal: float = 1.0) -> Array:
    """Return a symmetric matrix ``[T, T]`` with the values of some pairs; 0 elsewhere."""
    matrix = np.zeros((len(tasks), len(tasks))) + diagonal * np.eye(len(tasks))
    for (first, second), value in pairs.items():
        i, j = tasks.index(first), tasks.index(second)
        matrix[i, j] = matrix[j, i] = value
    return matrix


def affinity(
    tasks: str,
    *,
    similarity: list[Pairs] | Array,
    lookahead: Array | None = None,
    cosine: float = 0.0,
    error: float = 1e-4,
) -> Affinity:
    """Return an affinity of tasks with names of one letter.

    Args:
        tasks: names of the tasks.
        similarity: similarity of representations, per unit.
        lookahead: lookahead affinity; 0 by default.
        cosine: cosine of the gradients of all pairs.
        error: standard error of the lookahead affinity.
    """
    is_array = isinstance(similarity, np.ndarray)
    stack = similarity if is_array else [symmetric(tasks, pairs) for pairs in similarity]
    units, per_pair = len(stack), (len(tasks), len(tasks))
    lookahead = np.zeros(per_pair) if lookahead is None else lookahead
    cosines = np.full(per_pair, cosine) + (1 - cosine) * np.eye(len(tasks))
    return Affinity(
        tasks=tuple(tasks),
        units=tuple(f"unit{index}" for index in range(units)),
        gradients=np.stack([cosines] * units),
        lookahead=lookahead,
        lookahead_error=np.full(per_pair, error),
        unit_lookahead=np.stack([lookahead / units] * units),
        representations=np.stack(stack),
        steps=np.full(per_pair, 20),
        images=64,
        epochs=1,
    )
