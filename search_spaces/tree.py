"""Search space of trees, encoded as an order of the tasks and split depths between neighbors.

One parameter per unit and task would encode the same tree many times, and near values would not
mean similar trees. A tree of ``T`` tasks over ``U`` units is exactly an order of the tasks and
``T - 1`` split depths: neighbors share the units before their split depth. An order and its
reverse give the same trees, so the first two tasks keep their order, and each further task has
one parameter for its position: ``T! / 2`` orders.
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
        0, description="number of units, from the input, that all tasks always share"
    )


class TreeSpace(SearchSpace[TreeSettings]):
    """Every plan in which tasks that separated never share again."""

    name = "tree"
    summary = "any tree: tasks separate at some depth and stay separate"
    Settings = TreeSettings

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """Return a tree from ``T - 2`` positions and ``T - 1`` split depths."""
        order = list(tasks[:2])
        for count, task in enumerate(tasks[2:], start=2):
            order.insert(suggest.suggest_int(f"place_{task}", 0, count), task)
        num_shared = self._num_shared(units)
        depths = [
            suggest.suggest_int(f"split_{gap}", num_shared, len(units))
            for gap in range(1, len(tasks))
        ]
        return Candidate(SharingPlan.from_splits(order, depths, len(units)))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Return the positions and split depths of a tree."""
        plan = candidate.plan
        if not plan.is_tree or len(plan.rows) != len(units) or list(plan.tasks) != list(tasks):
            return None
        order = _order(plan)
        depths = [_split_depth(plan, left, right) for left, right in pairwise(order)]
        if any(depth < self._num_shared(units) for depth in depths):
            return None
        params = _positions(order, tasks)
        params.update({f"split_{gap}": depth for gap, depth in enumerate(depths, start=1)})
        return params

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """Return the number of trees."""
        return count_tree_plans(len(tasks), len(units), first_shared=self._num_shared(units))

    def candidates(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> Iterator[Candidate]:
        """Return every tree."""
        num_shared = self._num_shared(units)
        return map(Candidate, tree_plans(tasks, len(units), first_shared=num_shared))

    def _num_shared(self, units: Sequence[UnitSpec]) -> int:
        return min(self.settings.first_shared, len(units))


def _order(plan: SharingPlan) -> list[str]:
    """Return an order of the tasks in which the groups of every unit are runs of neighbors."""
    paths = {task: tuple(row[index] for row in plan.rows) for index, task in enumerate(plan.tasks)}
    order = sorted(plan.tasks, key=lambda task: paths[task])
    first, second = plan.tasks[0], plan.tasks[min(1, len(plan.tasks) - 1)]
    return order if order.index(first) <= order.index(second) else order[::-1]


def _split_depth(plan: SharingPlan, left: str, right: str) -> int:
    """Return the number of units that two tasks share."""
    first, second = plan.tasks.index(left), plan.tasks.index(right)
    return sum(row[first] == row[second] for row in plan.rows)


def _positions(order: Sequence[str], tasks: Sequence[str]) -> dict[str, int | float | str]:
    """Return the position of each task from the third on, among the tasks before it."""
    positions: dict[str, int | float | str] = {}
    for count, task in enumerate(tasks[2:], start=2):
        inserted = [name for name in order if name in tasks[: count + 1]]
        positions[f"place_{task}"] = inserted.index(task)
    return positions


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace[TreeSettings]]]:
    """Return the space ``tree``."""
    return [TreeSpace]
