"""Laws of sharing plans."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.errors import PlanError
from mtlsearch.plan import Cost, SharingPlan, count_tree_plans, plan_cost, tree_plans
from mtlsearch.units import UnitSpec

NAMES = ["boxes", "depth", "edges", "outline", "scene"]


@st.composite
def plans(draw: st.DrawFn) -> SharingPlan:
    """Any plan, trees and others."""
    tasks = NAMES[: draw(st.integers(1, 5))]
    units = draw(st.integers(1, 6))
    labels = st.lists(st.integers(0, 4), min_size=len(tasks), max_size=len(tasks))
    return SharingPlan.from_groups(
        [
            [
                [task for task, at in zip(tasks, row, strict=True) if at == group]
                for group in set(row)
            ]
            for row in draw(st.lists(labels, min_size=units, max_size=units))
        ]
    )


@st.composite
def trees(draw: st.DrawFn) -> SharingPlan:
    tasks = draw(st.permutations(NAMES[: draw(st.integers(1, 5))]))
    units = draw(st.integers(1, 6))
    depths = [draw(st.integers(0, units)) for _ in tasks[1:]]
    return SharingPlan.from_splits(tasks, depths, units)


def units_of(plan: SharingPlan) -> list[UnitSpec]:
    return [UnitSpec(at, f"u{at}", 8, 4, 10**at, 7 * 10**at) for at in range(len(plan.rows))]


@given(plans(), st.randoms())
def test_equal_plans_are_equal(plan: SharingPlan, shuffler: random.Random) -> None:
    """However the groups are listed, the plan and its digest are the same."""
    listed = [[list(group) for group in plan.groups(unit)] for unit in range(len(plan.rows))]
    for unit in listed:
        shuffler.shuffle(unit)
        for group in unit:
            shuffler.shuffle(group)
    again = SharingPlan.from_groups(listed)
    assert again == plan
    assert again.digest == plan.digest
    assert hash(again) == hash(plan)


@given(plans(), plans())
def test_different_plans_differ_in_digest(one: SharingPlan, other: SharingPlan) -> None:
    assert (one == other) == (one.digest == other.digest)


@given(plans())
def test_json_round_trip(plan: SharingPlan) -> None:
    assert SharingPlan.from_json(plan.to_json()) == plan


@given(plans())
def test_groups_are_a_partition(plan: SharingPlan) -> None:
    for unit, copies in enumerate(plan.copies):
        groups = plan.groups(unit)
        assert len(groups) == copies
        assert sorted(task for group in groups for task in group) == list(plan.tasks)


@given(trees())
def test_splits_give_trees_and_never_fewer_copies_deeper_down(plan: SharingPlan) -> None:
    assert plan.is_tree
    assert list(plan.copies) == sorted(plan.copies)


@given(plans())
def test_cost_lies_between_hard_and_independent(plan: SharingPlan) -> None:
    units = units_of(plan)
    heads = [Cost(5, 50)] * len(plan.tasks)
    hard = plan_cost(SharingPlan.hard(plan.tasks, len(units)), units, heads)
    alone = plan_cost(SharingPlan.independent(plan.tasks, len(units)), units, heads)
    own = plan_cost(plan, units, heads)
    assert hard.parameters <= own.parameters <= alone.parameters
    assert hard.flops <= own.flops <= alone.flops
    assert alone.flops == len(plan.tasks) * sum(unit.flops for unit in units) + 50 * len(plan.tasks)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 5))
def test_trees_are_listed_once_and_counted_right(tasks: int, units: int, shared: int) -> None:
    listed = list(tree_plans(NAMES[:tasks], units, first_shared=shared))
    assert len(listed) == len(set(listed)) == count_tree_plans(tasks, units, first_shared=shared)
    assert all(plan.is_tree for plan in listed)
    assert all(copies == 1 for plan in listed for copies in plan.copies[:shared])


@given(plans())
def test_a_plan_is_a_tree_exactly_if_it_is_listed(plan: SharingPlan) -> None:
    if len(plan.tasks) <= 3 and len(plan.rows) <= 4:
        assert plan.is_tree == (plan in set(tree_plans(plan.tasks, len(plan.rows))))


def test_counts_of_the_literature() -> None:
    """Five branch points: the numbers of the enumerated search spaces."""
    assert [count_tree_plans(t, 6, first_shared=1) for t in range(2, 7)] == [
        6, 51, 561, 7556, 120196,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "groups",
    [
        [],
        [[["a"], ["b"]], [["a"]]],
        [[["a", "b"], ["b"]]],
        [[[]]],
    ],
)
def test_illegal_groups_are_refused(groups: list[list[list[str]]]) -> None:
    with pytest.raises(PlanError):
        SharingPlan.from_groups(groups)


@pytest.mark.parametrize(("depths", "units"), [([1], 3), ([1, 4], 3), ([-1, 0], 3)])
def test_illegal_depths_are_refused(depths: list[int], units: int) -> None:
    with pytest.raises(PlanError):
        SharingPlan.from_splits(["a", "b", "c"], depths, units)


def test_rows_out_of_canonical_form_are_refused() -> None:
    with pytest.raises(PlanError, match="canonical"):
        SharingPlan(("a", "b"), ((1, 0),))


@pytest.mark.parametrize("value", [{}, {"tasks": ["a"]}, {"tasks": 3, "rows": 4}])
def test_json_of_another_form_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(PlanError):
        SharingPlan.from_json(value)  # type: ignore[arg-type]


def test_a_cost_for_other_units_is_refused() -> None:
    plan = SharingPlan.hard(["a"], 2)
    with pytest.raises(PlanError, match="2 units"):
        plan_cost(plan, units_of(SharingPlan.hard(["a"], 3)))
