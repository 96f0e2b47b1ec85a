"""Search space of one shared backbone in which tasks skip units (Sun et al. 2020, "AdaShare")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field

from mtlsearch.plugin import (
    Candidate,
    SearchSpace,
    Settings,
    SharingPlan,
    Suggest,
    UnitSpec,
    hookimpl,
)


class SkipSettings(Settings):
    """Options of the space ``skip``."""

    norm_statistics: Literal["path", "shared"] = Field(
        "path", description="BatchNorm statistics of a shared unit: one set per path, or one set"
    )


class SkipSpace(SearchSpace[SkipSettings]):
    """One backbone for all tasks, of which each task can skip units.

    A unit is skippable if its output has the shape of its input: most blocks, few stages. For a
    backbone without skippable units, the space contains only the hard plan.
    """

    name = "skip"
    summary = "one shared backbone: each task can skip units that keep the shape"
    starter = False
    Settings = SkipSettings

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """Return a plan from 1 (skip) or 0 for every skippable unit and task."""
        skips: dict[int, list[str]] = {}
        for unit, task in _unit_task_pairs(units, tasks):
            if suggest.suggest_int(f"skip_{unit}_{task}", 0, 1):
                skips.setdefault(unit, []).append(task)
        plan = SharingPlan.hard(tasks, len(units)).with_skips(skips)
        return Candidate(self._with_statistics(plan))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Return which tasks skip which units."""
        plan = candidate.plan
        if len(plan.rows) != len(units) or list(plan.tasks) != list(tasks):
            return None
        skips = {unit.index: plan.skips(unit.index) for unit in units if unit.skippable}
        if plan != self._with_statistics(SharingPlan.hard(tasks, len(units)).with_skips(skips)):
            return None
        return {
            f"skip_{unit}_{task}": int(task in skips[unit])
            for unit, task in _unit_task_pairs(units, tasks)
        }

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """Return 2 to the power of the number of skippable units times tasks."""
        return 1 << len(list(_unit_task_pairs(units, tasks)))

    def _with_statistics(self, plan: SharingPlan) -> SharingPlan:
        return plan.with_statistics(self.settings.norm_statistics)


def _unit_task_pairs(units: Sequence[UnitSpec], tasks: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Return every skippable unit with every task."""
    return ((unit.index, task) for unit in units if unit.skippable for task in tasks)


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace[SkipSettings]]]:
    """Return the space ``skip``."""
    return [SkipSpace]
