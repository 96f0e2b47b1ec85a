"""Nobody on the front is beaten, everybody else is."""

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


def beats(one: list[float], other: list[float]) -> bool:
    return all(a >= b for a, b in zip(one, other, strict=True)) and one != other


@given(ROWS)
def test_the_front_is_what_nothing_beats(rows: list[list[float]]) -> None:
    front = pareto_front(np.array(rows, dtype=float))
    assert front.any()
    for row, on_front in zip(rows, front, strict=True):
        assert on_front == (not any(beats(other, row) for other in rows))


@given(ROWS)
def test_best_first_lists_each_once_and_nobody_behind_whom_they_beat(
    rows: list[list[float]],
) -> None:
    order = sort_by_dominance(rows)
    assert sorted(order) == list(range(len(rows)))
    place = {at: number for number, at in enumerate(order)}
    for one in range(len(rows)):
        for other in range(len(rows)):
            if beats(rows[one], rows[other]):
                assert place[one] < place[other]


@given(ROWS)
def test_of_equal_ones_the_earlier_is_first_where_there_is_one_number(
    rows: list[list[float]],
) -> None:
    single = [row[:1] for row in rows]
    assert sort_by_dominance(single) == sorted(
        range(len(rows)), key=lambda at: (-single[at][0], at)
    )


def test_in_a_front_those_with_room_come_first() -> None:
    rows = [[0.0, 9.0], [4.0, 5.0], [5.0, 4.0], [4.5, 4.5], [9.0, 0.0]]
    assert sort_by_dominance(rows)[:2] == [0, 4]
    assert sort_by_dominance(rows)[-1] == 3
