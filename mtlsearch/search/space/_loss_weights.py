"""Loss weights on the simplex, and their params.

Stick breaking maps independent numbers in [0, 1] to the simplex. Each number is the part of
the remaining weight that one task takes, through the quantile function of its Beta
distribution. Uniform numbers then give uniform weights: Dirichlet(1, ..., 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtlsearch.plugin import Suggest

MIN_WEIGHT = 0.02
"""Lowest weight of a task, relative to equal weights; with less, the task does not train."""


def suggest_weights(suggest: Suggest, tasks: Sequence[str]) -> dict[str, float]:
    """Choose weights that sum to the number of tasks, so that equal weights are 1.

    Args:
        suggest: source of the params.
        tasks: task names, sorted.

    Returns:
        Weight by task, at least :data:`MIN_WEIGHT`.
    """
    remaining, shares = 1.0, []
    for index, task in enumerate(reversed(tasks[1:]), start=1):
        part = suggest.suggest_float(f"weight_{task}", 0.0, 1.0)
        share = remaining * (1.0 - (1.0 - part) ** (1.0 / (len(tasks) - index)))
        shares.append((task, share))
        remaining -= share
    shares.append((tasks[0], remaining))
    count = len(tasks)
    return {task: MIN_WEIGHT + (1 - MIN_WEIGHT) * share * count for task, share in reversed(shares)}


def encode_weights(weights: Mapping[str, float], tasks: Sequence[str]) -> dict[str, float] | None:
    """Invert :func:`suggest_weights`.

    Args:
        weights: weight by task.
        tasks: task names, sorted.

    Returns:
        Value by parameter name; None if no params give these weights.
    """
    count = len(tasks)
    shares = {task: (weights[task] - MIN_WEIGHT) / (1 - MIN_WEIGHT) / count for task in tasks}
    if min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-9:
        return None
    remaining, params = 1.0, {}
    for index, task in enumerate(reversed(tasks[1:]), start=1):
        part = min(1.0, shares[task] / remaining) if remaining > 0 else 0.0
        params[f"weight_{task}"] = 1.0 - (1.0 - part) ** (count - index)
        remaining -= shares[task]
    return params
