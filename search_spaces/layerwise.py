"""Search space of all partitions of the tasks at every unit, encoded as one number per unit.

The partitions of ``T`` tasks are numbered by their number of groups and then in lexicographic
order: 0 is one group, the last number is one group per task. So partitions with near numbers
share about as much, which helps a sampler, and every plan has exactly one encoding. A number is
converted to its partition by counting, without enumerating partitions.
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
        0, description="number of units, from the input, that all tasks always share"
    )
    norm_statistics: Literal["path", "shared"] = Field(
        "path", description="BatchNorm statistics of a shared unit: one set per path, or one set"
    )


class LayerwiseSpace(SearchSpace[LayerwiseSettings]):
    """Every plan without skips: tasks that separated can share again."""

    name = "layerwise"
    summary = "any partition at any unit: tasks can separate and share again"
    starter = False
    Settings = LayerwiseSettings

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """Return a plan from one partition number for each unit after the first shared ones."""
        rows = [(0,) * len(tasks)] * self._num_shared(units)
        for unit in range(len(rows), len(units)):
            number = suggest.suggest_int(f"groups_{unit}", 0, _num_partitions(len(tasks)) - 1)
            rows.append(_partition(number, len(tasks)))
        return Candidate(self._with_statistics(SharingPlan(tuple(tasks), tuple(rows))))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Return the numbers of the plan's partitions."""
        plan, num_shared = candidate.plan, self._num_shared(units)
        if plan.has_skips or len(plan.rows) != len(units) or list(plan.tasks) != list(tasks):
            return None
        if any(max(row) > 0 for row in plan.rows[:num_shared]):
            return None
        if plan != self._with_statistics(plan):
            return None
        return {
            f"groups_{unit}": _number(plan.rows[unit]) for unit in range(num_shared, len(units))
        }

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """Return the product of the numbers of partitions."""
        return math.prod([_num_partitions(len(tasks))] * (len(units) - self._num_shared(units)))

    def _num_shared(self, units: Sequence[UnitSpec]) -> int:
        return min(self.settings.first_shared, len(units))

    def _with_statistics(self, plan: SharingPlan) -> SharingPlan:
        return plan.with_statistics(self.settings.norm_statistics)


@cache
def _num_completions(left: int, used: int, groups: int) -> int:
    """Return in how many ways ``left`` more tasks fill ``groups`` groups.

    Args:
        left: number of tasks without a group.
        used: number of groups that have a task already.
        groups: number of groups that must have a task in the end.

    Returns:
        The number of ways.
    """
    if left == 0:
        return int(used == groups)
    return used * _num_completions(left - 1, used, groups) + _num_completions(
        left - 1, used + 1, groups
    )


def _num_partitions(tasks: int) -> int:
    """Return the number of partitions of a set of tasks (the Bell number)."""
    return sum(_num_completions(tasks, 0, groups) for groups in range(1, tasks + 1))


def _partition(number: int, tasks: int) -> tuple[int, ...]:
    """Return the partition with a number, as a restricted growth string."""
    groups = 1
    while number >= _num_completions(tasks, 0, groups):
        number -= _num_completions(tasks, 0, groups)
        groups += 1
    row: list[int] = []
    used = 0
    for left in range(tasks - 1, -1, -1):
        group, below = 0, _num_completions(left, used, groups)
        while group < used and number >= below:
            number -= below
            group += 1
        used = max(used, group + 1)
        row.append(group)
    return tuple(row)


def _number(row: Sequence[int]) -> int:
    """Return the number of a partition; the inverse of :func:`_partition`."""
    groups, used = max(row) + 1, 0
    number = sum(_num_completions(len(row), 0, fewer) for fewer in range(1, groups))
    for left, group in zip(range(len(row) - 1, -1, -1), row, strict=True):
        number += group * _num_completions(left, used, groups)
        used = max(used, group + 1)
    return number


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace[LayerwiseSettings]]]:
    """Return the space ``layerwise``."""
    return [LayerwiseSpace]
