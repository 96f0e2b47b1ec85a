"""Tests of the Pareto front: no trial on it is dominated, all others are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.results._pareto import pareto_front, sort_by_dominance

ROWS = st.integers(1, 3).flatmap(
    lambda width: st.lists(
        st.lists(st.one_of(st.integers(-2, 2), st.just(-np.inf)), min_size=width, max_size=width),
        min_size=1,
        max_size=12,
    )
)


def dominates(first: list[float], second: list[float]) -> bool:
    return all(a >= b for a, b in zip(first, second, strict=True)) and first != second


@given(ROWS)
def test_pareto_front_contains_undominated_rows(rows: list[list[float]]) -> None:
    front = pareto_front(np.array(rows, dtype=float))
    assert front.any()
    for row, is_member in zip(rows, front, strict=True):
        assert is_member == (not any(dominates(other, row) for other in rows))


@given(ROWS)
def test_sort_by_dominance_puts_dominating_rows_first(rows: list[list[float]]) -> None:
    order = sort_by_dominance(rows)
    assert sorted(order) == list(range(len(rows)))
    rank_by_index = {index: rank for rank, index in enumerate(order)}
    for first in range(len(rows)):
        for second in range(len(rows)):
            if dominates(rows[first], rows[second]):
                assert rank_by_index[first] < rank_by_index[second]


@given(ROWS)
def test_sort_by_dominance_is_stable_for_one_value(rows: list[list[float]]) -> None:
    single = [row[:1] for row in rows]
    assert sort_by_dominance(single) == sorted(
        range(len(rows)), key=lambda index: (-single[index][0], index)
    )


def test_sort_by_dominance_prefers_high_crowding_distance() -> None:
    rows = [[0.0, 9.0], [4.0, 5.0], [5.0, 4.0], [4.5, 4.5], [9.0, 0.0]]
    assert sort_by_dominance(rows)[:2] == [0, 4]
    assert sort_by_dominance(rows)[-1] == 3
