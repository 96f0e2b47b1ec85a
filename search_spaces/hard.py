"""One plan: all tasks share the whole backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtlsearch.plugin import Candidate, SearchSpace, SharingPlan, Suggest, UnitSpec, hookimpl


class HardSpace(SearchSpace):
    """Hard parameter sharing (Caruana 1997): one backbone, a head a task."""

    name = "hard"
    summary = "one plan: all tasks share every unit"

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """The hard plan, whatever the choices."""
        return Candidate(SharingPlan.hard(tasks, len(units)))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """No answer is needed for the hard plan; there are none for another."""
        return {} if candidate.plan == SharingPlan.hard(tasks, len(units)) else None

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """One."""
        return 1

    def candidates(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> list[Candidate]:
        """The hard plan."""
        return [Candidate(SharingPlan.hard(tasks, len(units)))]


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace]]:
    """Contribute the space ``hard``."""
    return [HardSpace]
