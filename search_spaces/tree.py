"""Tree plans as numbers: an order of the tasks and a split depth between neighbours.

Asking for one group a unit and task would sample the same tree many times over and give a
sampler nothing to interpolate. A tree plan of ``T`` tasks over ``U`` units is exactly an
order of the tasks and ``T - 1`` depths: neighbours share the units above the depth between
them. An order and its reverse say the same, so the first two tasks keep theirs and each
further one has a place to be put in: ``T! / 2`` orders, as integers too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from pydantic import Field, NonNegativeInt

from mtlsearch.plugin import (
    Candidate,
    SearchSpace,
    Settings,
    SharingPlan,
    Suggest,
    UnitSpec,
    count_tree_plans,
    hookimpl,
    tree_plans,
)


class TreeSettings(Settings):
    """Options of the space ``tree``."""

    first_shared: NonNegativeInt = Field(
        0, description="so many units from the input are always shared by all tasks"
    )


class TreeSpace(SearchSpace[TreeSettings]):
    """Every plan in which tasks that have parted stay apart."""

    name = "tree"
    summary = "any tree: tasks part at some depth and stay apart"
    Settings = TreeSettings

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """A tree plan from ``T - 2`` places and ``T - 1`` depths."""
        order = list(tasks[:2])
        for count, task in enumerate(tasks[2:], start=2):
            order.insert(suggest.suggest_int(f"place_{task}", 0, count), task)
        shallowest = self._shallowest(units)
        depths = [
            suggest.suggest_int(f"split_{gap}", shallowest, len(units))
            for gap in range(1, len(tasks))
        ]
        return Candidate(SharingPlan.from_splits(order, depths, len(units)))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Places and depths that give the candidate's plan."""
        plan = candidate.plan
        if not plan.is_tree or len(plan.rows) != len(units) or list(plan.tasks) != list(tasks):
            return None
        order = _order(plan)
        depths = [_shared_depth(plan, left, right) for left, right in pairwise(order)]
        if any(depth < self._shallowest(units) for depth in depths):
            return None
        params = _places(order, tasks)
        params.update({f"split_{gap}": depth for gap, depth in enumerate(depths, start=1)})
        return params

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """How many trees there are."""
        return count_tree_plans(len(tasks), len(units), first_shared=self._shallowest(units))

    def candidates(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> Iterator[Candidate]:
        """Every tree."""
        shared = self._shallowest(units)
        return map(Candidate, tree_plans(tasks, len(units), first_shared=shared))

    def _shallowest(self, units: Sequence[UnitSpec]) -> int:
        return min(self.settings.first_shared, len(units))


def _order(plan: SharingPlan) -> list[str]:
    """An order in which every unit's groups are runs of neighbours."""
    paths = {task: tuple(row[at] for row in plan.rows) for at, task in enumerate(plan.tasks)}
    order = sorted(plan.tasks, key=lambda task: paths[task])
    first, second = plan.tasks[0], plan.tasks[min(1, len(plan.tasks) - 1)]
    return order if order.index(first) <= order.index(second) else order[::-1]


def _shared_depth(plan: SharingPlan, left: str, right: str) -> int:
    """How many units two tasks share."""
    at, other = plan.tasks.index(left), plan.tasks.index(right)
    return sum(row[at] == row[other] for row in plan.rows)


def _places(order: Sequence[str], tasks: Sequence[str]) -> dict[str, int | float | str]:
    """The place of each task from the third on, among those before it."""
    places: dict[str, int | float | str] = {}
    for count, task in enumerate(tasks[2:], start=2):
        known = [name for name in order if name in tasks[: count + 1]]
        places[f"place_{task}"] = known.index(task)
    return places


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace[TreeSettings]]]:
    """Contribute the space ``tree``."""
    return [TreeSpace]
