"""All tree plans, listed and counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from mtlsearch.plan._plan import SharingPlan

Row = tuple[int, ...]


def tree_plans(tasks: Sequence[str], units: int, *, first_shared: int = 0) -> Iterator[SharingPlan]:
    """Every tree plan once, the first ``first_shared`` units shared by all tasks.

    >>> sum(1 for _ in tree_plans(["a", "b", "c"], units=6, first_shared=1))
    51
    """
    names = tuple(sorted(tasks))
    shared: Row = (0,) * len(names)

    def grow(rows: tuple[Row, ...]) -> Iterator[SharingPlan]:
        if len(rows) == units:
            yield SharingPlan(names, rows)
            return
        above = rows[-1] if rows else shared
        below = [above] if len(rows) < first_shared else refinements(above)
        for row in below:
            yield from grow((*rows, row))

    yield from grow(())


def count_tree_plans(tasks: int, units: int, *, first_shared: int = 0) -> int:
    """How many plans :func:`tree_plans` lists, without listing them.

    >>> [count_tree_plans(t, units=6, first_shared=1) for t in (2, 3, 4, 5, 6)]
    [6, 51, 561, 7556, 120196]
    """
    return _count((0,) * tasks, max(0, units - first_shared))


@cache
def refinements(row: Row) -> tuple[Row, ...]:
    """Every partition that refines ``row``, in canonical form, ``row`` itself first."""
    found: list[Row] = []

    def assign(chosen: Row) -> None:
        if len(chosen) == len(row):
            found.append(chosen)
            return
        position = len(chosen)
        used = max(chosen, default=-1) + 1
        own = {
            group
            for group, parent in zip(chosen, row[:position], strict=True)
            if parent == row[position]
        }
        for group in sorted(own | {used}):
            assign((*chosen, group))

    assign(())
    return tuple(found)


@cache
def _count(row: Row, depth: int) -> int:
    if depth == 0:
        return 1
    return sum(_count(below, depth - 1) for below in refinements(row))
