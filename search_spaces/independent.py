"""One plan: no task shares anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtlsearch.plugin import Candidate, SearchSpace, SharingPlan, Suggest, UnitSpec, hookimpl


class IndependentSpace(SearchSpace):
    """The single-task networks side by side."""

    name = "independent"
    summary = "one plan: a backbone of its own for every task"

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """The independent plan, whatever the choices."""
        return Candidate(SharingPlan.independent(tasks, len(units)))

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """No answer is needed for the independent plan; there are none for another."""
        return {} if candidate.plan == SharingPlan.independent(tasks, len(units)) else None

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int:
        """One."""
        return 1

    def candidates(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> list[Candidate]:
        """The independent plan."""
        return [Candidate(SharingPlan.independent(tasks, len(units)))]


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace]]:
    """Contribute the space ``independent``."""
    return [IndependentSpace]
