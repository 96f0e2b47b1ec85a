"""The contract of a search space, as tests."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, ClassVar

import pytest

from mtlsearch.plugin import Candidate, SearchSpace, Suggest, UnitSpec
from mtlsearch.testing._choices import FixedChoices, RandomChoices, every_choice

TASKS = ("boxes", "breed", "depth", "outline", "scene")
UNITS = range(1, 13)
SEEDS = range(5)


class SpaceContract:
    """What every search space must do, for one to five tasks and one to twelve units.

    Subclass it in a test module, name the class ``Test...`` and say which space::

        class TestHalfway(SpaceContract):
            space = Halfway

    Attributes:
        space: the search space.
        settings: its settings, as a run file has them.
        counted: ``(tasks, units)`` for which ``count`` is compared with all its proposals.
    """

    space: ClassVar[type[SearchSpace[Any]]]
    settings: ClassVar[Mapping[str, object]] = {}
    counted: ClassVar[tuple[tuple[int, int], ...]] = ((1, 3), (2, 1), (2, 5), (3, 3), (4, 2))

    def make_space(self) -> SearchSpace[Any]:
        """The space under test."""
        return self.space(self.space.Settings.model_validate(dict(self.settings)))

    def propose(self, suggest: Suggest, tasks: int, units: int) -> Candidate:
        """What it proposes for the first so many of the tasks."""
        return self.make_space().propose(suggest, make_units(units), TASKS[:tasks])

    def test_it_introduces_itself(self) -> None:
        """Name, one line, and a description of every setting."""
        assert self.space.name == self.space.name.strip().lower() != ""
        assert self.space.summary
        assert "\n" not in self.space.summary
        for name, field in self.space.Settings.model_fields.items():
            assert field.description, f"setting {name!r} has no description"

    @pytest.mark.parametrize("tasks", range(1, 6))
    def test_proposals_fit(self, tasks: int) -> None:
        """A plan for these tasks and units, which passes by none that changes shapes."""
        for seed, units in product(SEEDS, UNITS):
            plan = self.propose(RandomChoices(seed), tasks, units).plan
            assert plan.tasks == TASKS[:tasks]
            assert len(plan.rows) == units
            skippable = [unit.skippable for unit in make_units(units)]
            assert all(may or not plan.skipping(at) for at, may in enumerate(skippable))

    @pytest.mark.parametrize("tasks", range(1, 6))
    def test_answers_decide(self, tasks: int) -> None:
        """The same answers give the same candidate, and nothing else does."""
        for seed, units in product(SEEDS, UNITS):
            suggest = RandomChoices(seed)
            candidate = self.propose(suggest, tasks, units)
            again = FixedChoices(suggest.asked)
            assert self.propose(again, tasks, units) == candidate
            assert again.asked == suggest.asked

    @pytest.mark.parametrize("tasks", range(1, 6))
    def test_encoding_comes_back(self, tasks: int) -> None:
        """The answers that encode a proposal give its plan; all questions are answered."""
        for seed, units in product(SEEDS, UNITS):
            candidate = self.propose(RandomChoices(seed), tasks, units)
            params = self.make_space().encode(candidate, make_units(units), TASKS[:tasks])
            if params is None:
                pytest.skip("the space does not encode")
            suggest = FixedChoices(params)
            assert self.propose(suggest, tasks, units).plan == candidate.plan
            assert set(suggest.asked) == set(params)

    def test_count_is_right(self) -> None:
        """As many plans as all answers together propose."""
        for tasks, units in self.counted:
            count = self.make_space().count(make_units(units), TASKS[:tasks])
            if count is None:
                pytest.skip("the space does not count")
            found = {self.propose(suggest, tasks, units).plan for suggest in every_choice()}
            assert count == len(found), f"{tasks} tasks, {units} units"

    def test_the_list_is_all(self) -> None:
        """Every candidate that some answers propose is listed, once, and no other."""
        for tasks, units in self.counted:
            listed = self.make_space().candidates(make_units(units), TASKS[:tasks])
            if listed is None:
                pytest.skip("the space does not list its candidates")
            digests = [candidate.digest for candidate in listed]
            found = {self.propose(at, tasks, units).digest for at in every_choice()}
            assert len(digests) == len(set(digests)), f"{tasks} tasks, {units} units"
            assert set(digests) == found, f"{tasks} tasks, {units} units"


def make_units(count: int) -> list[UnitSpec]:
    """Units of a backbone that halves its maps five times; every third one keeps the shape."""
    return [_make_unit(at, skippable=at % 3 == 1) for at in range(count)]


def _make_unit(at: int, *, skippable: bool) -> UnitSpec:
    level = at if skippable else at + 1
    channels, stride = 8 * level, min(32, 2**level)
    return UnitSpec(at, f"unit{at}", channels, stride, 100 * (at + 1), 1000, skippable)
