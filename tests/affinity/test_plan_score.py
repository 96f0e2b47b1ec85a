"""What plans promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.affinity import Affinity, best_tree, plan_scores, similarity_threshold
from mtlsearch.plan import SharingPlan, tree_plans
from tests.affinity.matrices import affinity, symmetric


def at_random(seed: int, tasks: str, units: int) -> Affinity:
    rng = np.random.default_rng(seed)
    drawn = [
        symmetric(tasks, {(a, b): rng.uniform(-1, 1) for a in tasks for b in tasks if a < b})
        for _ in range(units)
    ]
    return affinity(tasks, alike=np.stack(drawn))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    tasks=st.sampled_from(["ab", "abc", "abcd"]),
    units=st.integers(1, 3),
    level=st.floats(-1, 1),
)
def test_the_most_promising_tree_is_the_best_of_all(
    seed: int, tasks: str, units: int, level: float
) -> None:
    known = at_random(seed, tasks, units)
    plans = list(tree_plans(tasks, units))
    found = best_tree(known, level)
    assert found in plans
    worth = plan_scores(known, plans, level)
    assert worth[plans.index(found)] == pytest.approx(worth.max(), abs=1e-6)


def test_a_plan_promises_what_lies_above_the_level() -> None:
    known = affinity("abc", alike=[{("a", "b"): 0.9, ("a", "c"): 0.2, ("b", "c"): 0.4}] * 2)
    plans = [
        SharingPlan.independent("abc", 2),
        SharingPlan.hard("abc", 2),
        SharingPlan.from_groups([[["a", "b", "c"]], [["a", "b"], ["c"]]]),
        SharingPlan.hard("abc", 2).with_skips({1: ["c"]}),
    ]
    assert plan_scores(known, plans, 0.5) == pytest.approx([0.0, 0.0, 0.4, 0.4])


def test_a_higher_level_shares_less() -> None:
    known = at_random(0, "abcd", 4)
    shared = []
    for level in np.linspace(-1.1, 1.1, 12):
        plan = best_tree(known, level)
        assert plan is not None
        rows = np.array(plan.rows)
        shared.append(int((rows[:, :, None] == rows[:, None, :]).sum()))
    assert shared == sorted(shared, reverse=True)
    assert best_tree(known, -1.1) == SharingPlan.hard("abcd", 4)
    assert best_tree(known, 1.1) == SharingPlan.independent("abcd", 4)


def test_tasks_part_where_they_stop_being_alike() -> None:
    """``c`` is another from unit 1 on, ``a`` and ``b`` part behind unit 2."""
    near, far = 0.9, 0.1
    known = affinity(
        "abc",
        alike=[
            {("a", "b"): near, ("a", "c"): near, ("b", "c"): near},
            {("a", "b"): near, ("a", "c"): far, ("b", "c"): far},
            {("a", "b"): near, ("a", "c"): far, ("b", "c"): far},
            {("a", "b"): far, ("a", "c"): far, ("b", "c"): far},
        ],
    )
    expected = SharingPlan.from_splits(["c", "a", "b"], [1, 3], units=4)
    assert best_tree(known, similarity_threshold(known)) == expected


def test_what_is_not_known_says_nothing() -> None:
    nan = float("nan")
    known = affinity("abc", alike=[{("a", "b"): 0.9, ("a", "c"): nan, ("b", "c"): 0.1}])
    assert similarity_threshold(known) == pytest.approx(0.5)
    assert plan_scores(known, [SharingPlan.hard("abc", 1)], 0.5) == pytest.approx([0.0])
    nothing = affinity("ab", alike=[{("a", "b"): nan}])
    assert similarity_threshold(nothing) == 0.0
    assert best_tree(nothing, 0.0) == SharingPlan.hard("ab", 1)


def test_ten_tasks_are_too_many() -> None:
    assert best_tree(affinity("abcdefghij", alike=[{}]), 0.5) is None
