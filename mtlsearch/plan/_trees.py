"""Enumeration of tree plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from mtlsearch.plan._canonical import Row
from mtlsearch.plan._plan import SharingPlan


def tree_plans(tasks: Sequence[str], units: int, *, first_shared: int = 0) -> Iterator[SharingPlan]:
    """Yield every tree plan once, ``hard`` first.

    >>> sum(1 for _ in tree_plans(["a", "b", "c"], units=6, first_shared=1))
    51

    Args:
        tasks: task names in any order.
        units: number of units.
        first_shared: number of units, from the input, that all tasks share in every plan.

    Yields:
        The plans, in a fixed order.
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
    """Return the number of plans that :func:`tree_plans` yields, without enumerating them.

    >>> [count_tree_plans(t, units=6, first_shared=1) for t in (2, 3, 4, 5, 6)]
    [6, 51, 561, 7556, 120196]

    Args:
        tasks: number of tasks.
        units: number of units.
        first_shared: number of units, from the input, that all tasks share in every plan.

    Returns:
        The number of tree plans.
    """
    return _count((0,) * tasks, max(0, units - first_shared))


@cache
def refinements(row: Row) -> tuple[Row, ...]:
    """Return every partition that refines a partition.

    Args:
        row: a canonical row without skips.

    Returns:
        Canonical rows, ``row`` itself first.
    """
    rows: list[Row] = []

    def assign(groups: Row) -> None:
        """Extend the groups of the first tasks to those of all tasks."""
        if len(groups) == len(row):
            rows.append(groups)
            return
        position = len(groups)
        unused = max(groups, default=-1) + 1
        allowed = {
            group
            for group, parent in zip(groups, row[:position], strict=True)
            if parent == row[position]
        }
        for group in sorted(allowed | {unused}):
            assign((*groups, group))

    assign(())
    return tuple(rows)


@cache
def _count(row: Row, depth: int) -> int:
    if depth == 0:
        return 1
    return sum(_count(below, depth - 1) for below in refinements(row))
