"""Search space with the plan in which all tasks share every unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtlsearch.plugin import Candidate, SearchSpace, SharingPlan, Suggest, UnitSpec, hookimpl


class HardSpace(SearchSpace):
    """Hard parameter sharing (Caruana 1997): one backbone and one head per task."""

    name = "hard"
    summary = "one plan: all tasks share every unit"

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """Return the hard plan; nothing is suggested."""
        return Candidate(SharingPlan.hard(tasks, len(units)))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Return empty params for the hard plan, None for any other."""
        return {} if candidate.plan == SharingPlan.hard(tasks, len(units)) else None

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """Return 1."""
        return 1

    def candidates(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> list[Candidate]:
        """Return the hard plan."""
        return [Candidate(SharingPlan.hard(tasks, len(units)))]


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace]]:
    """Return the space ``hard``."""
    return [HardSpace]
