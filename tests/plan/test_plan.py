"""Laws of sharing plans."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.errors import PlanError
from mtlsearch.plan import Cost, SharingPlan, UnitSpec, count_tree_plans, plan_cost, tree_plans

NAMES = ["boxes", "depth", "edges", "outline", "scene"]


@st.composite
def plans(draw: st.DrawFn) -> SharingPlan:
    """Any plan."""
    plan = draw(partitions())
    passing = st.lists(st.sampled_from(plan.tasks), unique=True)
    skips = draw(st.dictionaries(st.integers(0, len(plan.rows) - 1), passing))
    return plan.with_skips(skips).with_statistics(draw(st.sampled_from(["shared", "path"])))


@st.composite
def partitions(draw: st.DrawFn) -> SharingPlan:
    """Any plan of which no task passes by a unit, trees and others."""
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
    return [UnitSpec(at, f"u{at}", 8, 4, 10**at, 7 * 10**at, True) for at in range(len(plan.rows))]


@given(plans(), st.randoms())
def test_equal_plans_are_equal(plan: SharingPlan, shuffler: random.Random) -> None:
    """However the groups are listed, the plan and its digest are the same."""
    listed = [[list(group) for group in plan.groups(unit)] for unit in range(len(plan.rows))]
    for unit in listed:
        shuffler.shuffle(unit)
        for group in unit:
            shuffler.shuffle(group)
    every = [[*unit, *([task] for task in plan.skipping(at))] for at, unit in enumerate(listed)]
    skips = {at: plan.skipping(at) for at in range(len(plan.rows))}
    again = SharingPlan.from_groups(every).with_skips(skips).with_statistics(plan.statistics)
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
        using = [task for group in groups for task in group]
        assert sorted((*using, *plan.skipping(unit))) == list(plan.tasks)


@given(trees())
def test_splits_give_trees_and_never_fewer_copies_deeper_down(plan: SharingPlan) -> None:
    assert plan.is_tree
    assert list(plan.copies) == sorted(plan.copies)


@given(partitions())
def test_cost_lies_between_hard_and_independent(plan: SharingPlan) -> None:
    units = units_of(plan)
    heads = [Cost(5, 50)] * len(plan.tasks)
    hard = plan_cost(SharingPlan.hard(plan.tasks, len(units)), units, heads)
    alone = plan_cost(SharingPlan.independent(plan.tasks, len(units)), units, heads)
    own = plan_cost(plan, units, heads)
    assert hard.parameters <= own.parameters <= alone.parameters
    assert hard.flops <= own.flops <= alone.flops
    assert alone.flops == len(plan.tasks) * sum(unit.flops for unit in units) + 50 * len(plan.tasks)


@given(plans())
def test_a_unit_runs_once_for_every_way_that_leads_to_it(plan: SharingPlan) -> None:
    """Two tasks have a run in common just where they share all they have gone through."""
    for unit, row in enumerate(plan.paths):
        ways = {tuple(upper[at] for upper in plan.rows[: unit + 1]) for at in _users(plan, unit)}
        assert plan.runs[unit] == len(ways) >= plan.copies[unit]
        for one in _users(plan, unit):
            for other in _users(plan, unit):
                alike = all(upper[one] == upper[other] for upper in plan.rows[: unit + 1])
                assert (row[one] == row[other]) == alike
    if plan.is_tree:
        assert plan.paths == plan.rows


def _users(plan: SharingPlan, unit: int) -> list[int]:
    return [at for at, group in enumerate(plan.rows[unit]) if group >= 0]


@given(plans())
def test_cost_counts_copies_and_runs(plan: SharingPlan) -> None:
    units = units_of(plan)
    assert plan_cost(plan, units) == Cost(
        sum(copies * unit.parameters for copies, unit in zip(plan.copies, units, strict=True)),
        sum(runs * unit.flops for runs, unit in zip(plan.runs, units, strict=True)),
    )
    without = [dataclasses.replace(unit, skippable=False) for unit in units]
    if plan.has_skips:
        with pytest.raises(PlanError, match="cannot pass by"):
            plan_cost(plan, without)
    else:
        assert plan_cost(plan, without) == plan_cost(plan, units)


@given(partitions())
def test_a_plan_computes_what_the_tree_of_its_paths_computes(plan: SharingPlan) -> None:
    tree = SharingPlan(plan.tasks, plan.paths)
    assert tree.is_tree
    own, other = plan_cost(plan, units_of(plan)), plan_cost(tree, units_of(plan))
    assert own.flops == other.flops
    assert own.parameters <= other.parameters


@given(plans())
def test_statistics_are_apart_only_where_a_unit_runs_on_several_inputs(plan: SharingPlan) -> None:
    if plan.runs == plan.copies:
        assert plan.with_statistics("path") == plan
    else:
        shared, apart = plan.with_statistics("shared"), plan.with_statistics("path")
        assert shared.digest != apart.digest
        assert str(shared) != str(apart)


@given(plans(), plans())
def test_different_plans_read_differently(one: SharingPlan, other: SharingPlan) -> None:
    if one.tasks == other.tasks and len(one.rows) == len(other.rows):
        assert (str(one) == str(other)) == (one == other)


def test_plans_without_skips_are_written_as_they_always_were() -> None:
    plan = SharingPlan.from_groups([[["a", "b"]], [["a"], ["b"]], [["a", "b"]]])
    assert plan.to_json() == {"tasks": ["a", "b"], "rows": [[0, 0], [0, 1], [0, 0]]}
    assert plan.digest == "b9d62d4ab3fb"
    assert str(plan) == "a | b @1, a+b @2"


@pytest.mark.parametrize("skips", [{3: ["a"]}, {-1: ["a"]}, {0: ["c"]}])
def test_skips_of_strangers_are_refused(skips: dict[int, list[str]]) -> None:
    with pytest.raises(PlanError, match="cannot pass by unit"):
        SharingPlan.hard(["a", "b"], 3).with_skips(skips)


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


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"tasks": ["a"]},
        {"tasks": 3, "rows": 4},
        {"tasks": ["a"], "rows": [[-2]]},
        {"tasks": ["a"], "rows": [[0]], "statistics": "none"},
    ],
)
def test_json_of_another_form_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(PlanError):
        SharingPlan.from_json(value)  # type: ignore[arg-type]


def test_a_cost_for_other_units_is_refused() -> None:
    plan = SharingPlan.hard(["a"], 2)
    with pytest.raises(PlanError, match="2 units"):
        plan_cost(plan, units_of(SharingPlan.hard(["a"], 3)))
