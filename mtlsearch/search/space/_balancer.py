"""Balancer as a searched dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import STATIC, Candidate, Suggest


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
