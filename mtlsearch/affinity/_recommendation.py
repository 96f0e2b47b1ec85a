"""Recommendations from a task affinity; they are estimates, and a search measures them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mtlsearch.affinity._affinity import Affinity
from mtlsearch.affinity._grouping import Groups, best_groups, tasks_to_leave_out
from mtlsearch.affinity._plan_score import best_tree, similarity_threshold
from mtlsearch.plan import SharingPlan

QUANTILE_BY_SHARING: dict[str, float | None] = {"more": 0.25, "medium": None, "less": 0.75}
"""Quantile of the similarity threshold by amount of sharing; None is the mean."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Plans, groups and exclusions that a task affinity suggests.

    Attributes:
        plans: name and tree, ordered from ``more`` over ``medium`` to ``less`` sharing; two
            trees can be equal. Empty for more than 9 tasks.
        groups: tasks to train together; None for more than 9 tasks.
        leave_out: tasks that conflict with all others; empty in most cases.
    """

    plans: tuple[tuple[str, SharingPlan], ...]
    groups: Groups | None
    leave_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a value for JSON.

        Returns:
            One entry per attribute.
        """
        return {
            "plans": {name: plan.to_json() for name, plan in self.plans},
            "groups": None if self.groups is None else [list(group) for group in self.groups],
            "leave_out": list(self.leave_out),
        }


def recommend(affinity: Affinity) -> Recommendation:
    """Return plans by representation similarity, groups and exclusions by lookahead affinity.

    Args:
        affinity: the task affinity.

    Returns:
        The recommendation.
    """
    return Recommendation(
        plans=tuple(_plans(affinity)),
        groups=best_groups(affinity),
        leave_out=tasks_to_leave_out(affinity),
    )


def _plans(affinity: Affinity) -> Iterator[tuple[str, SharingPlan]]:
    for name, quantile in QUANTILE_BY_SHARING.items():
        plan = best_tree(affinity, similarity_threshold(affinity, quantile))
        if plan is not None:
            yield name, plan
