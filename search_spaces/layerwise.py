"""Any partition of the tasks at any unit, as one number a unit.

The partitions of ``T`` tasks are numbered by how many groups they have and then in
lexicographic order: 0 is all together, the last one all apart. So a sampler finds near each
other what shares about as much, every plan has exactly one set of answers, and nothing is
listed: a number is turned into its partition by counting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

from pydantic import Field, NonNegativeInt

from mtlsearch.plugin import (
    Candidate,
    SearchSpace,
    Settings,
    SharingPlan,
    Suggest,
    UnitSpec,
    hookimpl,
)


class LayerwiseSettings(Settings):
    """Options of the space ``layerwise``."""

    first_shared: NonNegativeInt = Field(
        0, description="so many units from the input are always shared by all tasks"
    )
    norm_statistics: Literal["path", "shared"] = Field(
        "path",
        description="running statistics of a shared unit: by the path that leads to it, or one set",
    )


class LayerwiseSpace(SearchSpace[LayerwiseSettings]):
    """Every plan: tasks that have parted may come together again."""

    name = "layerwise"
    summary = "any partition at any unit: tasks may part and come together again"
    starter = False
    Settings = LayerwiseSettings

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """A plan from the number of a partition for every unit that is not always shared."""
        rows = [(0,) * len(tasks)] * self._shared(units)
        for unit in range(len(rows), len(units)):
            number = suggest.suggest_int(f"groups_{unit}", 0, _count(len(tasks)) - 1)
            rows.append(_partition(number, len(tasks)))
        return Candidate(self._kept(SharingPlan(tuple(tasks), tuple(rows))))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """The numbers of the plan's partitions."""
        plan, shared = candidate.plan, self._shared(units)
        if plan.has_skips or len(plan.rows) != len(units) or list(plan.tasks) != list(tasks):
            return None
        if any(max(row) > 0 for row in plan.rows[:shared]) or plan != self._kept(plan):
            return None
        return {f"groups_{at}": _number(plan.rows[at]) for at in range(shared, len(units))}

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """As many partitions as there are, at every unit that is not always shared."""
        return math.prod([_count(len(tasks))] * (len(units) - self._shared(units)))

    def _shared(self, units: Sequence[UnitSpec]) -> int:
        return min(self.settings.first_shared, len(units))

    def _kept(self, plan: SharingPlan) -> SharingPlan:
        return plan.with_statistics(self.settings.norm_statistics)


@cache
def _ways(left: int, used: int, groups: int) -> int:
    """Ways to put ``left`` more tasks into groups, ``used`` of ``groups`` having one already."""
    if left == 0:
        return int(used == groups)
    return used * _ways(left - 1, used, groups) + _ways(left - 1, used + 1, groups)


def _count(tasks: int) -> int:
    """How many partitions there are (the Bell number)."""
    return sum(_ways(tasks, 0, groups) for groups in range(1, tasks + 1))


def _partition(number: int, tasks: int) -> tuple[int, ...]:
    """The partition of a number, as a restricted growth string."""
    groups = 1
    while number >= _ways(tasks, 0, groups):
        number -= _ways(tasks, 0, groups)
        groups += 1
    row: list[int] = []
    used = 0
    for left in range(tasks - 1, -1, -1):
        group, below = 0, _ways(left, used, groups)
        while group < used and number >= below:
            number -= below
            group += 1
        used = max(used, group + 1)
        row.append(group)
    return tuple(row)


def _number(row: Sequence[int]) -> int:
    """The number of a partition."""
    groups, used = max(row) + 1, 0
    number = sum(_ways(len(row), 0, fewer) for fewer in range(1, groups))
    for left, group in zip(range(len(row) - 1, -1, -1), row, strict=True):
        number += group * _ways(left, used, groups)
        used = max(used, group + 1)
    return number


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace[LayerwiseSettings]]]:
    """Contribute the space ``layerwise``."""
    return [LayerwiseSpace]
