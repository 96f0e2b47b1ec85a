"""Loss weights as a searched dimension: a point on the simplex.

Stick breaking maps independent numbers in [0, 1] to the simplex. Each number is the part of
the remaining weight that one task takes, through the quantile function of its Beta
distribution. Uniform numbers then give uniform weights: Dirichlet(1, ..., 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtlsearch.plugin import STATIC, Candidate, Suggest

MIN_WEIGHT = 0.02
"""Lowest weight of a task, relative to equal weights; with less, the task does not train."""


@dataclass(frozen=True, slots=True)
class LossWeightDimension:
    """Choice of one loss weight per task.

    Weights are searched for the ``static`` balancer only: other balancers compute their own.

    Attributes:
        config: ``"equal"``, ``"search"`` or a weight by task name.
        tasks: task names, sorted.
    """

    config: Literal["equal", "search"] | Mapping[str, float]
    tasks: tuple[str, ...]

    @property
    def is_searched(self) -> bool:
        """Whether weights differ between candidates."""
        return self.config == "search"

    @property
    def fixed(self) -> Mapping[str, float]:
        """Weight by task if none are searched: those of the run file, or 1."""
        return dict.fromkeys(self.tasks, 1.0) if isinstance(self.config, str) else self.config

    def suggest(self, suggest: Suggest, candidate: Candidate, balancer: str) -> Mapping[str, float]:
        """Choose the loss weights of a candidate; keep those that its search space chose.

        Args:
            suggest: source of the params.
            candidate: what the search space proposed.
            balancer: balancer of the candidate.

        Returns:
            Weight by task.
        """
        if candidate.loss_weights is not None:
            return candidate.loss_weights
        if self.is_searched and balancer == STATIC:
            return suggest_weights(suggest, self.tasks)
        return self.fixed

    def params(self, candidate: Candidate) -> Mapping[str, float] | None:
        """Return the params that give a candidate its loss weights.

        Args:
            candidate: a complete candidate.

        Returns:
            Value by parameter name; None if no params give these weights.
        """
        weights = candidate.loss_weights
        if weights is None:
            return {}
        if self.is_searched and candidate.balancer == STATIC:
            return encode_weights(weights, self.tasks)
        return {} if weights == self.fixed else None


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
