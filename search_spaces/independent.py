"""Search space with the plan in which no tasks share a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtlsearch.plugin import Candidate, SearchSpace, SharingPlan, Suggest, UnitSpec, hookimpl


class IndependentSpace(SearchSpace):
    """Single-task networks: one backbone and one head per task."""

    name = "independent"
    summary = "one plan: one backbone per task"

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """Return the independent plan; nothing is suggested."""
        return Candidate(SharingPlan.independent(tasks, len(units)))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Return empty params for the independent plan, None for any other."""
        return {} if candidate.plan == SharingPlan.independent(tasks, len(units)) else None

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """Return 1."""
        return 1

    def candidates(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> list[Candidate]:
        """Return the independent plan."""
        return [Candidate(SharingPlan.independent(tasks, len(units)))]


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace]]:
    """Return the space ``independent``."""
    return [IndependentSpace]
