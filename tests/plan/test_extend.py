from __future__ import annotations

import pytest

from mtlsearch.errors import PlanError
from mtlsearch.plan import Branch, SharingPlan, extend_heads, extend_independent, extend_plan

TREE = SharingPlan.from_splits(["boxes", "outline", "scene"], depths=[1, 3], units=4)
REJOINING = SharingPlan.from_groups(
    [[["a", "b"]], [["a"], ["b"]], [["a", "b"]], [["a", "b"]]]
).with_statistics("path")
SKIPPING = SharingPlan.hard(["a", "b"], 4).with_skips({1: ["b"], 3: ["a"]})
PLANS = pytest.mark.parametrize("kept", [TREE, REJOINING, SKIPPING], ids=str)


def without(plan: SharingPlan, task: str) -> list[list[tuple[str, ...]]]:
    return [
        sorted(
            names for group in plan.groups(unit) if (names := tuple(t for t in group if t != task))
        )
        for unit in range(len(plan.rows))
    ]


@PLANS
@pytest.mark.parametrize("depth", range(5))
def test_extend_plan_keeps_groups_and_shares_the_path(kept: SharingPlan, depth: int) -> None:
    for followed in kept.tasks:
        plan = extend_plan(kept, [Branch("new", followed, depth)])
        assert without(plan, "new") == [sorted(kept.groups(unit)) for unit in range(4)]
        assert plan.statistics == kept.statistics
        groups, followed_groups = plan.path_of("new"), plan.path_of(followed)
        assert groups[:depth] == followed_groups[:depth]
        assert all(group in ((), ("new",)) for group in groups[depth:])
        assert [group == () for group in groups] == [group == () for group in followed_groups]
        runs = zip(plan.runs[:depth], kept.runs, strict=False)
        assert all(extended == before for extended, before in runs)


def test_extend_plan_new_tasks_share_below_their_branch() -> None:
    plan = extend_plan(TREE, [Branch("depth", "scene", 1), Branch("normals", "depth", 3)])
    assert plan.groups(2) == (("boxes",), ("depth", "normals"), ("outline", "scene"))
    assert ("depth",) in plan.groups(3)
    assert ("normals",) in plan.groups(3)


@PLANS
def test_extend_independent_shares_nothing(kept: SharingPlan) -> None:
    plan = extend_independent(kept, ["x", "y"])
    assert set(plan.path_of("x")) == {("x",)}
    assert set(plan.path_of("y")) == {("y",)}


def test_extend_heads_follows_the_most_common_path() -> None:
    kept = SharingPlan.from_splits(["a", "b", "c"], depths=[1, 4], units=4)
    assert extend_heads(kept, ["x"]).path_of("x")[3] == ("b", "c", "x")


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        (Branch("boxes", "scene", 1), "already"),
        (Branch("new", "scen", 1), "did you mean"),
        (Branch("new", "scene", 5), "unit 5"),
    ],
)
def test_extend_plan_invalid_branch_is_refused(branch: Branch, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        extend_plan(TREE, [branch])
