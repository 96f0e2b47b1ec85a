"""Recommendations from given matrices."""

from __future__ import annotations

import numpy as np
import pytest

from mtlsearch.affinity import Affinity, best_groups, recommend, tasks_to_leave_out
from mtlsearch.affinity._affinity import Array
from mtlsearch.plan import SharingPlan
from tests.affinity.matrices import affinity, symmetric

WITHIN = {("a", "b"): 0.02, ("c", "d"): 0.03}
ACROSS = {(first, second): -0.01 for first in "ab" for second in "cd"}
OUTLIER_C = {("a", "b"): 0.02, ("a", "c"): -0.02, ("b", "c"): -0.01}


def from_lookahead(tasks: str, lookahead: Array, **changes: float) -> Affinity:
    return affinity(tasks, similarity=[{}], lookahead=lookahead, **changes)


def test_tasks_that_help_each_other_are_grouped() -> None:
    measured = from_lookahead("abcd", symmetric("abcd", WITHIN | ACROSS))
    assert best_groups(measured) == (("a", "b"), ("c", "d"))


def test_all_tasks_stay_together_if_all_help() -> None:
    lookahead = symmetric("abc", dict.fromkeys([("a", "b"), ("a", "c"), ("b", "c")], 0.01))
    assert best_groups(from_lookahead("abc", lookahead)) == (("a", "b", "c"),)


def test_groups_count_the_effect_in_both_directions() -> None:
    """``a`` is grouped with ``b`` if it gains more from ``b`` than ``b`` loses."""
    for loss, expected in ((-0.01, (("a", "b"),)), (-0.05, (("a",), ("b",)))):
        lookahead = np.array([[0.1, loss], [0.03, 0.1]])
        assert best_groups(from_lookahead("ab", lookahead)) == expected


def test_insignificant_conflicts_do_not_split() -> None:
    lookahead = symmetric("abcd", ACROSS)
    together = (tuple("abcd"),)
    assert best_groups(from_lookahead("abcd", lookahead, error=0.02)) == together
    assert best_groups(from_lookahead("abcd", lookahead, error=0.001)) != together


def test_task_that_conflicts_with_all_others_is_left_out() -> None:
    measured = from_lookahead("abc", symmetric("abc", OUTLIER_C), cosine=-0.1)
    assert tasks_to_leave_out(measured) == ("c",)


@pytest.mark.parametrize(
    ("cosine", "error", "pairs"),
    [
        (0.1, 1e-4, OUTLIER_C),  # its gradients agree
        (-0.1, 0.05, OUTLIER_C),  # the conflict is not significant
        (-0.1, 1e-4, OUTLIER_C | {("b", "c"): 0.001}),  # it helps one task
    ],
)
def test_uncertain_conflicts_leave_out_no_task(
    cosine: float, error: float, pairs: dict[tuple[str, str], float]
) -> None:
    measured = from_lookahead("abc", symmetric("abc", pairs), cosine=cosine, error=error)
    assert tasks_to_leave_out(measured) == ()


def test_of_two_tasks_none_is_left_out() -> None:
    lookahead = symmetric("ab", {("a", "b"): -0.5})
    assert tasks_to_leave_out(from_lookahead("ab", lookahead, cosine=-1.0)) == ()


def test_missing_measurements_leave_out_no_task() -> None:
    lookahead = symmetric("abc", OUTLIER_C)
    lookahead[2, 0] = np.nan
    assert tasks_to_leave_out(from_lookahead("abc", lookahead, cosine=-0.1)) == ()


def test_plans_are_ordered_from_more_to_less_sharing() -> None:
    measured = affinity(
        "abc",
        similarity=[
            {("a", "b"): 0.95, ("a", "c"): 0.9, ("b", "c"): 0.9},
            {("a", "b"): 0.8, ("a", "c"): 0.5, ("b", "c"): 0.4},
            {("a", "b"): 0.5, ("a", "c"): 0.2, ("b", "c"): 0.1},
        ],
    )
    plans = dict(recommend(measured).plans)
    assert list(plans) == ["more", "medium", "less"]
    copies = [sum(plan.copies) for plan in plans.values()]
    assert copies == sorted(copies)
    assert plans["medium"] == SharingPlan.from_splits(["c", "a", "b"], [1, 2], units=3)


def test_equal_similarities_recommend_the_hard_plan() -> None:
    measured = affinity("ab", similarity=[{("a", "b"): 0.5}] * 2)
    assert [str(plan) for _, plan in recommend(measured).plans] == ["hard"] * 3


def test_more_than_nine_tasks_get_no_recommendation() -> None:
    recommendation = recommend(affinity("abcdefghij", similarity=[{}]))
    assert recommendation.plans == ()
    assert recommendation.groups is None


def test_pairs_without_an_error_are_not_split() -> None:
    lookahead = symmetric("ab", {("a", "b"): -0.5})
    assert best_groups(from_lookahead("ab", lookahead, error=np.nan)) == (("a", "b"),)


def test_missing_measurements_do_not_split() -> None:
    lookahead = symmetric("abc", {("a", "b"): np.nan, ("a", "c"): 0.01, ("b", "c"): 0.01})
    assert best_groups(from_lookahead("abc", lookahead)) == (("a", "b", "c"),)
