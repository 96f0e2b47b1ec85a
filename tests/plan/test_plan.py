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
    """Draw any plan."""
    plan = draw(partitions())
    tasks = st.lists(st.sampled_from(plan.tasks), unique=True)
    skips = draw(st.dictionaries(st.integers(0, len(plan.rows) - 1), tasks))
    return plan.with_skips(skips).with_statistics(draw(st.sampled_from(["shared", "path"])))


@st.composite
def partitions(draw: st.DrawFn) -> SharingPlan:
    """Draw any plan without skips, trees and others."""
    tasks = NAMES[: draw(st.integers(1, 5))]
    units = draw(st.integers(1, 6))
    labels = st.lists(st.integers(0, 4), min_size=len(tasks), max_size=len(tasks))
    return SharingPlan.from_groups(
        [
            [
                [task for task, label in zip(tasks, row, strict=True) if label == group]
                for group in set(row)
            ]
            for row in draw(st.lists(labels, min_size=units, max_size=units))
        ]
    )


@st.composite
def trees(draw: st.DrawFn) -> SharingPlan:
    """Draw any tree."""
    tasks = draw(st.permutations(NAMES[: draw(st.integers(1, 5))]))
    units = draw(st.integers(1, 6))
    depths = [draw(st.integers(0, units)) for _ in tasks[1:]]
    return SharingPlan.from_splits(tasks, depths, units)


def units_of(plan: SharingPlan) -> list[UnitSpec]:
    """Return skippable units for a plan, each with its own cost."""
    return [
        UnitSpec(index, f"u{index}", 8, 4, 10**index, 7 * 10**index, True)
        for index in range(len(plan.rows))
    ]


@given(plans(), st.randoms())
def test_plan_ignores_the_order_of_groups(plan: SharingPlan, shuffler: random.Random) -> None:
    units = [[list(group) for group in plan.groups(unit)] for unit in range(len(plan.rows))]
    for groups in units:
        shuffler.shuffle(groups)
        for group in groups:
            shuffler.shuffle(group)
    skips = {unit: plan.skips(unit) for unit in range(len(plan.rows))}
    partitions = [[*groups, *([task] for task in skips[unit])] for unit, groups in enumerate(units)]
    rebuilt = SharingPlan.from_groups(partitions).with_skips(skips)
    rebuilt = rebuilt.with_statistics(plan.statistics)
    assert rebuilt == plan
    assert rebuilt.digest == plan.digest
    assert hash(rebuilt) == hash(plan)


@given(plans(), plans())
def test_digest_identifies_a_plan(first: SharingPlan, second: SharingPlan) -> None:
    assert (first == second) == (first.digest == second.digest)


@given(plans())
def test_json_round_trip(plan: SharingPlan) -> None:
    assert SharingPlan.from_json(plan.to_json()) == plan


@given(plans())
def test_groups_and_skips_are_a_partition(plan: SharingPlan) -> None:
    for unit, copies in enumerate(plan.copies):
        groups = plan.groups(unit)
        assert len(groups) == copies
        tasks = [task for group in groups for task in group]
        assert sorted((*tasks, *plan.skips(unit))) == list(plan.tasks)


@given(trees())
def test_copies_of_a_tree_never_decrease_with_depth(plan: SharingPlan) -> None:
    assert plan.is_tree
    assert list(plan.copies) == sorted(plan.copies)


@given(partitions())
def test_cost_is_between_hard_and_independent(plan: SharingPlan) -> None:
    units = units_of(plan)
    heads = [Cost(5, 50)] * len(plan.tasks)
    hard = plan_cost(SharingPlan.hard(plan.tasks, len(units)), units, heads)
    independent = plan_cost(SharingPlan.independent(plan.tasks, len(units)), units, heads)
    cost = plan_cost(plan, units, heads)
    assert hard.parameters <= cost.parameters <= independent.parameters
    assert hard.flops <= cost.flops <= independent.flops
    total = sum(unit.flops for unit in units)
    assert independent.flops == len(plan.tasks) * total + 50 * len(plan.tasks)


@given(plans())
def test_unit_runs_once_per_distinct_path(plan: SharingPlan) -> None:
    """Two tasks have the same run exactly if all their groups so far are equal."""
    for unit, row in enumerate(plan.paths):
        users = _users(plan, unit)
        paths = {tuple(upper[task] for upper in plan.rows[: unit + 1]) for task in users}
        assert plan.runs[unit] == len(paths) >= plan.copies[unit]
        for first in users:
            for second in users:
                is_equal = all(upper[first] == upper[second] for upper in plan.rows[: unit + 1])
                assert (row[first] == row[second]) == is_equal
    if plan.is_tree:
        assert plan.paths == plan.rows


def _users(plan: SharingPlan, unit: int) -> list[int]:
    """Return the indices of the tasks that do not skip a unit."""
    return [task for task, group in enumerate(plan.rows[unit]) if group >= 0]


@given(plans())
def test_cost_counts_copies_and_runs(plan: SharingPlan) -> None:
    units = units_of(plan)
    assert plan_cost(plan, units) == Cost(
        sum(copies * unit.parameters for copies, unit in zip(plan.copies, units, strict=True)),
        sum(runs * unit.flops for runs, unit in zip(plan.runs, units, strict=True)),
    )
    unskippable = [dataclasses.replace(unit, skippable=False) for unit in units]
    if plan.has_skips:
        with pytest.raises(PlanError, match="cannot skip unit"):
            plan_cost(plan, unskippable)
    else:
        assert plan_cost(plan, unskippable) == plan_cost(plan, units)


@given(partitions())
def test_plan_costs_the_flops_of_the_tree_of_its_paths(plan: SharingPlan) -> None:
    tree = SharingPlan(plan.tasks, plan.paths)
    assert tree.is_tree
    cost, tree_cost = plan_cost(plan, units_of(plan)), plan_cost(tree, units_of(plan))
    assert cost.flops == tree_cost.flops
    assert cost.parameters <= tree_cost.parameters


@given(plans())
def test_statistics_matter_only_if_a_copy_runs_twice(plan: SharingPlan) -> None:
    if plan.runs == plan.copies:
        assert plan.with_statistics("path") == plan
    else:
        per_copy, per_path = plan.with_statistics("shared"), plan.with_statistics("path")
        assert per_copy.digest != per_path.digest
        assert str(per_copy) != str(per_path)


@given(plans(), plans())
def test_text_identifies_a_plan(first: SharingPlan, second: SharingPlan) -> None:
    if first.tasks == second.tasks and len(first.rows) == len(second.rows):
        assert (str(first) == str(second)) == (first == second)


def test_plan_without_skips_keeps_its_stored_form() -> None:
    plan = SharingPlan.from_groups([[["a", "b"]], [["a"], ["b"]], [["a", "b"]]])
    assert plan.to_json() == {"tasks": ["a", "b"], "rows": [[0, 0], [0, 1], [0, 0]]}
    assert plan.digest == "b9d62d4ab3fb"
    assert str(plan) == "a | b @1, a+b @2"


@pytest.mark.parametrize("skips", [{3: ["a"]}, {-1: ["a"]}, {0: ["c"]}])
def test_skips_of_missing_units_or_tasks_raise(skips: dict[int, list[str]]) -> None:
    with pytest.raises(PlanError, match="cannot skip unit"):
        SharingPlan.hard(["a", "b"], 3).with_skips(skips)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 5))
def test_tree_plans_are_unique_and_counted(tasks: int, units: int, shared: int) -> None:
    trees = list(tree_plans(NAMES[:tasks], units, first_shared=shared))
    assert len(trees) == len(set(trees)) == count_tree_plans(tasks, units, first_shared=shared)
    assert all(plan.is_tree for plan in trees)
    assert all(copies == 1 for plan in trees for copies in plan.copies[:shared])


@given(plans())
def test_is_tree_matches_the_enumeration(plan: SharingPlan) -> None:
    if len(plan.tasks) <= 3 and len(plan.rows) <= 4:
        assert plan.is_tree == (plan in set(tree_plans(plan.tasks, len(plan.rows))))


def test_tree_counts_match_the_literature() -> None:
    """Five branch points: the sizes of the enumerated search spaces."""
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
def test_illegal_groups_raise(groups: list[list[list[str]]]) -> None:
    with pytest.raises(PlanError):
        SharingPlan.from_groups(groups)


@pytest.mark.parametrize(("depths", "units"), [([1], 3), ([1, 4], 3), ([-1, 0], 3)])
def test_illegal_split_depths_raise(depths: list[int], units: int) -> None:
    with pytest.raises(PlanError):
        SharingPlan.from_splits(["a", "b", "c"], depths, units)


def test_rows_that_are_not_canonical_raise() -> None:
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
def test_invalid_json_raises(value: dict[str, object]) -> None:
    with pytest.raises(PlanError):
        SharingPlan.from_json(value)  # type: ignore[arg-type]


def test_cost_for_another_number_of_units_raises() -> None:
    plan = SharingPlan.hard(["a"], 2)
    with pytest.raises(PlanError, match="2 units"):
        plan_cost(plan, units_of(SharingPlan.hard(["a"], 3)))
