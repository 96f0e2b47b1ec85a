"""What an affinity suggests; estimates, which a search has yet to measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mtlsearch.affinity._affinity import Affinity
from mtlsearch.affinity._grouping import Groups, best_groups, tasks_to_leave_out
from mtlsearch.affinity._plan_score import best_tree, similarity_threshold
from mtlsearch.plan import SharingPlan

SHARES: dict[str, float | None] = {"more": 0.25, "medium": None, "less": 0.75}
"""How much a plan shares, and the quantile of similarities from which on it does."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What may be tried.

    Attributes:
        plans: tree plans along the trade-off between cost and dissimilarity, by how much they
            share: ``more``, ``medium``, ``less``; two may be the same. None for so many tasks
            that they cannot be compared.
        groups: tasks to train together; None for so many tasks.
        leave_out: tasks that get on with nobody; mostly empty.
    """

    plans: tuple[tuple[str, SharingPlan], ...]
    groups: Groups | None
    leave_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form."""
        return {
            "plans": {shares: plan.to_json() for shares, plan in self.plans},
            "groups": None if self.groups is None else [list(group) for group in self.groups],
            "leave_out": list(self.leave_out),
        }


def recommend(affinity: Affinity) -> Recommendation:
    """Plans by representations, groups and tasks to leave out by lookahead affinity."""
    return Recommendation(
        plans=tuple(_plans(affinity)),
        groups=best_groups(affinity),
        leave_out=tasks_to_leave_out(affinity),
    )


def _plans(affinity: Affinity) -> Iterator[tuple[str, SharingPlan]]:
    for shares, part in SHARES.items():
        plan = best_tree(affinity, similarity_threshold(affinity, part))
        if plan is not None:
            yield shares, plan
