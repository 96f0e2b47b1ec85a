"""Partitions of tasks as rows of group numbers, in canonical form."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

Row = tuple[int, ...]
"""Group number of each task in one unit; :data:`SKIPPED` for a task that skips the unit."""

SKIPPED = -1
"""Group number of a task that skips the unit."""


def canonical(row: Row) -> Row:
    """Return a row with its groups renumbered from 0 in order of first appearance.

    Args:
        row: a row with any group numbers.

    Returns:
        The restricted growth string of the same partition; :data:`SKIPPED` stays.
    """
    return _renumbered(tuple(row))


@lru_cache(maxsize=4096)  # the plans of a study have few different rows
def _renumbered(row: Row) -> Row:
    numbers = {SKIPPED: SKIPPED}
    return tuple(numbers.setdefault(group, len(numbers) - 1) for group in row)


def run_numbers(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return for every unit and task the number of the run that computes the task's features.

    Two tasks have the same run of a unit if they have the same path up to and including it:
    the same groups and the same skipped units.

    Args:
        rows: canonical rows in depth order.

    Returns:
        Canonical rows of run numbers; :data:`SKIPPED` where a task skips the unit.
    """
    runs_by_unit: list[Row] = []
    paths: Row = (0,) * len(rows[0])
    for row in rows:
        numbers: dict[tuple[int, int], int] = {}
        steps = zip(paths, row, strict=True)
        paths = tuple(numbers.setdefault(step, len(numbers)) for step in steps)
        runs = zip(paths, row, strict=True)
        runs_by_unit.append(
            canonical(tuple(SKIPPED if group == SKIPPED else path for path, group in runs))
        )
    return tuple(runs_by_unit)
