"""Partitions of tasks as rows of numbers, and what they say of the paths through a network."""

from __future__ import annotations

from collections.abc import Sequence

Row = tuple[int, ...]

SKIPPED = -1
"""In the place of a group's number: the task passes by the unit."""


def canonical(row: Row) -> Row:
    """Groups renumbered in order of first appearance; -1 stays."""
    numbers = {SKIPPED: SKIPPED}
    return tuple(numbers.setdefault(group, len(numbers) - 1) for group in row)


def paths(rows: Sequence[Row]) -> tuple[Row, ...]:
    """For every unit, tasks numbered by what they have gone through up to and with it.

    Tasks of one group whose inputs differ have different numbers; -1 where a task passes by.
    """
    found: list[Row] = []
    so_far: Row = (0,) * len(rows[0])
    for row in rows:
        numbers: dict[tuple[int, int], int] = {}
        steps = zip(so_far, row, strict=True)
        so_far = tuple(numbers.setdefault(step, len(numbers)) for step in steps)
        here = zip(so_far, row, strict=True)
        found.append(canonical(tuple(SKIPPED if at == SKIPPED else path for path, at in here)))
    return tuple(found)
