"""Loss weights on the simplex, as independent numbers between 0 and 1.

Stick breaking: each number says what part of the rest a task takes, through the quantile of
its Beta distribution, so that uniform numbers give weights uniform on the simplex
(Dirichlet with all parameters 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtlsearch.plugin import Suggest

SMALLEST = 0.02
"""No task's weight is searched below this part of the even share: it would not be learned."""


def suggest_weights(suggest: Suggest, tasks: Sequence[str]) -> dict[str, float]:
    """Weights that sum to the number of tasks, so that equal weights are all 1."""
    rest, shares = 1.0, []
    for left, task in enumerate(reversed(tasks[1:]), start=1):
        part = suggest.suggest_float(f"weight_{task}", 0.0, 1.0)
        share = rest * (1.0 - (1.0 - part) ** (1.0 / (len(tasks) - left)))
        shares.append((task, share))
        rest -= share
    shares.append((tasks[0], rest))
    count = len(tasks)
    return {task: SMALLEST + (1 - SMALLEST) * share * count for task, share in reversed(shares)}


def encode_weights(weights: Mapping[str, float], tasks: Sequence[str]) -> dict[str, float] | None:
    """The numbers with which :func:`suggest_weights` gives these weights; None if none do."""
    count = len(tasks)
    shares = {task: (weights[task] - SMALLEST) / (1 - SMALLEST) / count for task in tasks}
    if min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-9:
        return None
    rest, params = 1.0, {}
    for left, task in enumerate(reversed(tasks[1:]), start=1):
        taken = min(1.0, shares[task] / rest) if rest > 0 else 0.0
        params[f"weight_{task}"] = 1.0 - (1.0 - taken) ** (count - left)
        rest -= shares[task]
    return params
