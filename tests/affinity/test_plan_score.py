"""Scores of sharing plans."""

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
    similarity = [
        symmetric(tasks, {(a, b): rng.uniform(-1, 1) for a in tasks for b in tasks if a < b})
        for _ in range(units)
    ]
    return affinity(tasks, similarity=np.stack(similarity))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    tasks=st.sampled_from(["ab", "abc", "abcd"]),
    units=st.integers(1, 3),
    threshold=st.floats(-1, 1),
)
def test_best_tree_has_the_highest_score_of_all_trees(
    seed: int, tasks: str, units: int, threshold: float
) -> None:
    measured = at_random(seed, tasks, units)
    plans = list(tree_plans(tasks, units))
    best = best_tree(measured, threshold)
    assert best in plans
    scores = plan_scores(measured, plans, threshold)
    assert scores[plans.index(best)] == pytest.approx(scores.max(), abs=1e-6)


def test_score_sums_similarity_above_the_threshold() -> None:
    pairs = {("a", "b"): 0.9, ("a", "c"): 0.2, ("b", "c"): 0.4}
    measured = affinity("abc", similarity=[pairs] * 2)
    plans = [
        SharingPlan.independent("abc", 2),
        SharingPlan.hard("abc", 2),
        SharingPlan.from_groups([[["a", "b", "c"]], [["a", "b"], ["c"]]]),
        SharingPlan.hard("abc", 2).with_skips({1: ["c"]}),
    ]
    assert plan_scores(measured, plans, 0.5) == pytest.approx([0.0, 0.0, 0.4, 0.4])


def test_higher_threshold_shares_less() -> None:
    measured = at_random(0, "abcd", 4)
    num_shared = []
    for threshold in np.linspace(-1.1, 1.1, 12):
        plan = best_tree(measured, threshold)
        assert plan is not None
        rows = np.array(plan.rows)
        num_shared.append(int((rows[:, :, None] == rows[:, None, :]).sum()))
    assert num_shared == sorted(num_shared, reverse=True)
    assert best_tree(measured, -1.1) == SharingPlan.hard("abcd", 4)
    assert best_tree(measured, 1.1) == SharingPlan.independent("abcd", 4)


def test_tasks_split_where_similarity_ends() -> None:
    """``c`` differs from unit 1 on, and ``a`` and ``b`` differ from unit 3 on."""
    high, low = 0.9, 0.1
    measured = affinity(
        "abc",
        similarity=[
            {("a", "b"): high, ("a", "c"): high, ("b", "c"): high},
            {("a", "b"): high, ("a", "c"): low, ("b", "c"): low},
            {("a", "b"): high, ("a", "c"): low, ("b", "c"): low},
            {("a", "b"): low, ("a", "c"): low, ("b", "c"): low},
        ],
    )
    expected = SharingPlan.from_splits(["c", "a", "b"], [1, 3], units=4)
    assert best_tree(measured, similarity_threshold(measured)) == expected


def test_missing_similarities_do_not_count() -> None:
    nan = float("nan")
    pairs = {("a", "b"): 0.9, ("a", "c"): nan, ("b", "c"): 0.1}
    measured = affinity("abc", similarity=[pairs])
    assert similarity_threshold(measured) == pytest.approx(0.5)
    assert plan_scores(measured, [SharingPlan.hard("abc", 1)], 0.5) == pytest.approx([0.0])
    empty = affinity("ab", similarity=[{("a", "b"): nan}])
    assert similarity_threshold(empty) == 0.0
    assert best_tree(empty, 0.0) == SharingPlan.hard("ab", 1)


def test_ten_tasks_have_no_best_tree() -> None:
    assert best_tree(affinity("abcdefghij", similarity=[{}]), 0.5) is None
