"""Contract of a search space, as tests."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, ClassVar

import pytest

from mtlsearch.plugin import Candidate, SearchSpace, Suggest, UnitSpec
from mtlsearch.testing._suggest import FixedSuggest, RandomSuggest, enumerate_suggestions

TASKS = ("boxes", "breed", "depth", "outline", "scene")
UNITS = range(1, 13)
SEEDS = range(5)


class SpaceContract:
    """Tests that every search space must pass, for 1 to 5 tasks and 1 to 12 units.

    Subclass it in a test module, start the name of the class with ``Test`` and set the space::

        class TestHalfway(SpaceContract):
            space = Halfway

    Attributes:
        space: class of the search space.
        settings: its settings as in a run file.
        count_cases: ``(tasks, units)`` for which ``count`` and ``candidates`` are compared with
            all proposals.
    """

    space: ClassVar[type[SearchSpace[Any]]]
    settings: ClassVar[Mapping[str, object]] = {}
    count_cases: ClassVar[tuple[tuple[int, int], ...]] = ((1, 3), (2, 1), (2, 5), (3, 3), (4, 2))

    def make_space(self) -> SearchSpace[Any]:
        """Return the space under test.

        Returns:
            A new space.
        """
        return self.space(self.space.Settings.model_validate(dict(self.settings)))

    def propose(self, suggest: Suggest, tasks: int, units: int) -> Candidate:
        """Return the candidate for a number of tasks and units.

        Args:
            suggest: source of the params.
            tasks: number of tasks, 1 to 5.
            units: number of units.

        Returns:
            The proposed candidate.
        """
        return self.make_space().propose(suggest, make_units(units), TASKS[:tasks])

    def test_name_and_descriptions_are_set(self) -> None:
        """Check the name, the summary and the description of every setting."""
        assert self.space.name == self.space.name.strip().lower() != ""
        assert self.space.summary
        assert "\n" not in self.space.summary
        for name, field in self.space.Settings.model_fields.items():
            assert field.description, f"setting {name!r} has no description"

    @pytest.mark.parametrize("tasks", range(1, 6))
    def test_plans_match_the_tasks_and_units(self, tasks: int) -> None:
        """Check the plan's tasks and units, and that tasks skip only skippable units."""
        for seed, num_units in product(SEEDS, UNITS):
            plan = self.propose(RandomSuggest(seed), tasks, num_units).plan
            assert plan.tasks == TASKS[:tasks]
            assert len(plan.rows) == num_units
            units = make_units(num_units)
            assert all(unit.skippable or not plan.skips(unit.index) for unit in units)

    @pytest.mark.parametrize("tasks", range(1, 6))
    def test_same_params_give_the_same_candidate(self, tasks: int) -> None:
        """Check that a proposal depends on nothing but its params."""
        for seed, units in product(SEEDS, UNITS):
            suggest = RandomSuggest(seed)
            candidate = self.propose(suggest, tasks, units)
            repeated = FixedSuggest(suggest.params)
            assert self.propose(repeated, tasks, units) == candidate
            assert repeated.params == suggest.params

    @pytest.mark.parametrize("tasks", range(1, 6))
    def test_encoded_params_give_the_same_plan(self, tasks: int) -> None:
        """Check that ``propose`` uses all params of ``encode`` and returns the same plan."""
        for seed, units in product(SEEDS, UNITS):
            candidate = self.propose(RandomSuggest(seed), tasks, units)
            params = self.make_space().encode(candidate, make_units(units), TASKS[:tasks])
            if params is None:
                pytest.skip("the space does not encode")
            suggest = FixedSuggest(params)
            assert self.propose(suggest, tasks, units).plan == candidate.plan
            assert set(suggest.params) == set(params)

    def test_count_is_the_number_of_plans(self) -> None:
        """Compare ``count`` with the plans of all combinations of params."""
        for tasks, units in self.count_cases:
            count = self.make_space().count(make_units(units), TASKS[:tasks])
            if count is None:
                pytest.skip("the space does not count")
            plans = {
                self.propose(suggest, tasks, units).plan for suggest in enumerate_suggestions()
            }
            assert count == len(plans), f"{tasks} tasks, {units} units"

    def test_candidates_are_all_proposals_once(self) -> None:
        """Compare ``candidates`` with the proposals of all combinations of params."""
        for tasks, units in self.count_cases:
            candidates = self.make_space().candidates(make_units(units), TASKS[:tasks])
            if candidates is None:
                pytest.skip("the space does not enumerate its candidates")
            digests = [candidate.digest for candidate in candidates]
            proposals = {
                self.propose(suggest, tasks, units).digest for suggest in enumerate_suggestions()
            }
            assert len(digests) == len(set(digests)), f"{tasks} tasks, {units} units"
            assert set(digests) == proposals, f"{tasks} tasks, {units} units"


def make_units(count: int) -> list[UnitSpec]:
    """Return units of a backbone that halves its maps five times; every third is skippable.

    Args:
        count: number of units.

    Returns:
        The units in depth order.
    """
    return [_make_unit(index, skippable=index % 3 == 1) for index in range(count)]


def _make_unit(index: int, *, skippable: bool) -> UnitSpec:
    level = index if skippable else index + 1
    channels, stride = 8 * level, min(32, 2**level)
    return UnitSpec(
        index, f"unit{index}", channels, stride, 100 * (index + 1), 1000, skippable=skippable
    )
