"""All tasks share every unit that they use; each may pass by some (Sun et al. 2020, AdaShare)."""

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
        "path",
        description="running statistics of a shared unit: by the path that leads to it, or one set",
    )


class SkipSpace(SearchSpace[SkipSettings]):
    """One backbone for all tasks; every task decides which units to use.

    A unit can be passed by where what it gives has the shape of what it takes: most blocks,
    few stages. Where a backbone has none, the hard plan is all there is.
    """

    name = "skip"
    summary = "one backbone, of which each task may pass by units that keep the shape"
    starter = False
    Settings = SkipSettings

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """A plan from a yes (1) or no (0) for every skippable unit and task."""
        skips: dict[int, list[str]] = {}
        for unit, task in _questions(units, tasks):
            if suggest.suggest_int(f"skip_{unit}_{task}", 0, 1):
                skips.setdefault(unit, []).append(task)
        return Candidate(self._kept(SharingPlan.hard(tasks, len(units)).with_skips(skips)))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Who passes by which unit."""
        plan = candidate.plan
        if len(plan.rows) != len(units) or list(plan.tasks) != list(tasks):
            return None
        skips = {unit: plan.skipping(unit) for unit in range(len(units))}
        asked = SharingPlan.hard(tasks, len(units)).with_skips(
            {unit.index: skips[unit.index] for unit in units if unit.skippable}
        )
        if plan != self._kept(asked):
            return None
        return {
            f"skip_{unit}_{task}": int(task in skips[unit])
            for unit, task in _questions(units, tasks)
        }

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """Two for every question."""
        return 1 << len(list(_questions(units, tasks)))

    def _kept(self, plan: SharingPlan) -> SharingPlan:
        return plan.with_statistics(self.settings.norm_statistics)


def _questions(units: Sequence[UnitSpec], tasks: Sequence[str]) -> Iterator[tuple[int, str]]:
    return ((unit.index, task) for unit in units if unit.skippable for task in tasks)


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace[SkipSettings]]]:
    """Contribute the space ``skip``."""
    return [SkipSpace]
