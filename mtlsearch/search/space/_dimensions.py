"""Searched dimensions of every candidate: balancer, loss weights and learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import STATIC, Candidate, Suggest
from mtlsearch.search.space._loss_weights import encode_weights, suggest_weights


@dataclass(frozen=True, slots=True)
class BalancerDimension:
    """Choice of one balancer per candidate.

    A candidate that shares nothing has no gradients to balance: its balancer is ``static``.

    Attributes:
        names: balancer names to choose from.
    """

    names: tuple[str, ...]

    def count(self, plan: SharingPlan | None = None) -> int:
        """Return how many different balancers a plan can have.

        Args:
            plan: the plan; None for a plan that shares units.

        Returns:
            Number of balancers, at least 1.
        """
        return len(self.names) if plan is None or plan.shares else 1

    def default(self, plan: SharingPlan) -> str:
        """Return the first balancer, or ``static`` for a plan that shares nothing.

        Args:
            plan: the plan.

        Returns:
            Name of a balancer.
        """
        return self.names[0] if plan.shares else STATIC

    def suggest(self, suggest: Suggest, candidate: Candidate) -> str:
        """Choose the balancer of a candidate; keep the one that its search space chose.

        Args:
            suggest: source of the params.
            candidate: what the search space proposed.

        Returns:
            Name of the balancer.
        """
        if candidate.balancer != STATIC:
            return candidate.balancer
        name = self.names[0]
        if len(self.names) > 1:
            name = suggest.suggest_categorical("balancer", self.names)
        return name if candidate.plan.shares else STATIC

    def params(self, candidate: Candidate) -> Mapping[str, str] | None:
        """Return the params that give a candidate its balancer.

        Args:
            candidate: a complete candidate.

        Returns:
            Value by parameter name; None if no params give this balancer.
        """
        name = candidate.balancer
        if not candidate.plan.shares:
            # Its balancer is static for every value of the param.
            if name != STATIC:
                return None
            name = STATIC if STATIC in self.names else self.names[0]
        if name not in self.names:
            return None
        return {"balancer": name} if len(self.names) > 1 else {}


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


@dataclass(frozen=True, slots=True)
class LearningRateDimension:
    """Choice of one learning rate per candidate, on a log scale.

    Attributes:
        default: the learning rate if none is searched.
        bounds: lowest and highest learning rate; None if none is searched.
    """

    default: float
    bounds: tuple[float, float] | None

    def suggest(self, suggest: Suggest, candidate: Candidate) -> float:
        """Choose the learning rate of a candidate; keep the one that its search space chose.

        Args:
            suggest: source of the params.
            candidate: what the search space proposed.

        Returns:
            The learning rate.
        """
        if candidate.learning_rate is not None or self.bounds is None:
            return candidate.learning_rate or self.default
        low, high = self.bounds
        return suggest.suggest_float("learning_rate", low, high, log=True)

    def params(self, candidate: Candidate) -> Mapping[str, float] | None:
        """Return the params that give a candidate its learning rate.

        Args:
            candidate: a complete candidate.

        Returns:
            Value by parameter name; None if no params give this learning rate.
        """
        rate = candidate.learning_rate
        if self.bounds is None:
            return {} if rate in (None, self.default) else None
        low, high = self.bounds
        return None if rate is None or not low <= rate <= high else {"learning_rate": rate}
