"""Affinities made by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtlsearch.affinity import Affinity
from mtlsearch.affinity._affinity import Array

Pairs = Mapping[tuple[str, str], float]


def symmetric(tasks: str, pairs: Pairs, own: float = 1.0) -> Array:
    """``[T, T]`` from values of pairs named in any order; 0 elsewhere."""
    found = np.zeros((len(tasks), len(tasks))) + own * np.eye(len(tasks))
    for (one, other), value in pairs.items():
        i, j = tasks.index(one), tasks.index(other)
        found[i, j] = found[j, i] = value
    return found


def affinity(
    tasks: str,
    *,
    alike: list[Pairs] | Array,
    gains: Array | None = None,
    cosine: float = 0.0,
    error: float = 1e-4,
) -> Affinity:
    """An affinity of tasks with names of one letter.

    Args:
        tasks: their names.
        alike: similarity of representations, unit by unit.
        gains: the lookahead affinity; by default nobody's step does anything.
        cosine: of all gradients.
        error: of the lookahead affinity.
    """
    stack = alike if isinstance(alike, np.ndarray) else [symmetric(tasks, at) for at in alike]
    units, pair = len(stack), (len(tasks), len(tasks))
    lookahead = np.zeros(pair) if gains is None else gains
    cosines = np.full(pair, cosine) + (1 - cosine) * np.eye(len(tasks))
    return Affinity(
        tasks=tuple(tasks),
        units=tuple(f"unit{at}" for at in range(units)),
        gradients=np.stack([cosines] * units),
        lookahead=lookahead,
        lookahead_error=np.full(pair, error),
        unit_lookahead=np.stack([lookahead / units] * units),
        representations=np.stack(stack),
        steps=np.full(pair, 20),
        images=64,
        epochs=1,
    )
