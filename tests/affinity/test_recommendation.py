"""What hand-made matrices suggest."""

from __future__ import annotations

import numpy as np
import pytest

from mtlsearch.affinity import best_groups, recommend, tasks_to_leave_out
from mtlsearch.plan import SharingPlan
from tests.affinity.matrices import affinity, symmetric

FRIENDS = {("a", "b"): 0.02, ("c", "d"): 0.03}
FOES = {(one, other): -0.01 for one in "ab" for other in "cd"}


def test_friends_are_trained_together() -> None:
    known = affinity("abcd", alike=[{}], gains=symmetric("abcd", FRIENDS | FOES))
    assert best_groups(known) == (("a", "b"), ("c", "d"))


def test_all_stay_together_where_all_help() -> None:
    gains = symmetric("abc", dict.fromkeys([("a", "b"), ("a", "c"), ("b", "c")], 0.01))
    assert best_groups(affinity("abc", alike=[{}], gains=gains)) == (("a", "b", "c"),)


def test_who_helps_may_be_taken_along_by_who_is_helped_more() -> None:
    """``a`` gains from ``b`` more than ``b`` loses: both ways count."""
    for lost, expected in ((-0.01, (("a", "b"),)), (-0.05, (("a",), ("b",)))):
        gains = np.array([[0.1, lost], [0.03, 0.1]])
        assert best_groups(affinity("ab", alike=[{}], gains=gains)) == expected


def test_chance_parts_nobody() -> None:
    gains = symmetric("abcd", FOES)
    assert best_groups(affinity("abcd", alike=[{}], gains=gains, error=0.02)) == (tuple("abcd"),)
    assert best_groups(affinity("abcd", alike=[{}], gains=gains, error=0.001)) != (tuple("abcd"),)


SINGLE_PROCESS = {("a", "b"): 0.02, ("a", "c"): -0.02, ("b", "c"): -0.01}


def test_a_task_that_gets_on_with_nobody_is_left_out() -> None:
    gains = symmetric("abc", SINGLE_PROCESS)
    assert tasks_to_leave_out(affinity("abc", alike=[{}], gains=gains, cosine=-0.1)) == ("c",)


@pytest.mark.parametrize(
    ("cosine", "error", "gains"),
    [
        (0.1, 1e-4, SINGLE_PROCESS),  # its gradients agree
        (-0.1, 0.05, SINGLE_PROCESS),  # it may be chance
        (-0.1, 1e-4, SINGLE_PROCESS | {("b", "c"): 0.001}),  # it gets on with one
    ],
)
def test_without_doubt_nobody_is_left_out(
    cosine: float, error: float, gains: dict[tuple[str, str], float]
) -> None:
    known = affinity("abc", alike=[{}], gains=symmetric("abc", gains), cosine=cosine, error=error)
    assert tasks_to_leave_out(known) == ()


def test_of_two_tasks_none_is_left_out() -> None:
    gains = symmetric("ab", {("a", "b"): -0.5})
    assert tasks_to_leave_out(affinity("ab", alike=[{}], gains=gains, cosine=-1.0)) == ()


def test_what_is_not_known_leaves_nobody_out() -> None:
    gains = symmetric("abc", SINGLE_PROCESS)
    gains[2, 0] = np.nan
    assert tasks_to_leave_out(affinity("abc", alike=[{}], gains=gains, cosine=-0.1)) == ()


def test_plans_go_from_sharing_more_to_less() -> None:
    known = affinity(
        "abc",
        alike=[
            {("a", "b"): 0.95, ("a", "c"): 0.9, ("b", "c"): 0.9},
            {("a", "b"): 0.8, ("a", "c"): 0.5, ("b", "c"): 0.4},
            {("a", "b"): 0.5, ("a", "c"): 0.2, ("b", "c"): 0.1},
        ],
    )
    plans = dict(recommend(known).plans)
    assert list(plans) == ["more", "medium", "less"]
    copies = [sum(plan.copies) for plan in plans.values()]
    assert copies == sorted(copies)
    assert plans["medium"] == SharingPlan.from_splits(["c", "a", "b"], [1, 2], units=3)


def test_where_all_are_as_alike_nothing_speaks_for_parting() -> None:
    known = affinity("ab", alike=[{("a", "b"): 0.5}] * 2)
    assert [str(plan) for _, plan in recommend(known).plans] == ["hard"] * 3


def test_many_tasks_get_no_suggestion() -> None:
    found = recommend(affinity("abcdefghij", alike=[{}]))
    assert found.plans == ()
    assert found.groups is None


def test_few_steps_part_nobody() -> None:
    gains = symmetric("ab", {("a", "b"): -0.5})
    assert best_groups(affinity("ab", alike=[{}], gains=gains, error=np.nan)) == (("a", "b"),)


def test_what_is_not_known_parts_nobody() -> None:
    gains = symmetric("abc", {("a", "b"): np.nan, ("a", "c"): 0.01, ("b", "c"): 0.01})
    assert best_groups(affinity("abc", alike=[{}], gains=gains)) == (("a", "b", "c"),)
