"""The sharing plan: for every unit a partition of the tasks, in one canonical form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mtlsearch.errors import PlanError

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class SharingPlan:
    """For every unit a partition of the tasks.

    Equal plans are equal: tasks are sorted, and each unit's partition is a *restricted
    growth string*, one group number a task, numbered in order of first appearance.

    Attributes:
        tasks: the task names, sorted.
        rows: one row a unit, in depth order; ``rows[u][t]`` is the group of ``tasks[t]``.

    Raises:
        PlanError: no task, no unit, a task named twice, or rows not in canonical form
            (build from groups with :meth:`from_groups`, which makes them so).
    """

    tasks: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.tasks or not self.rows:
            raise PlanError("a sharing plan needs at least one task and one unit")
        if list(self.tasks) != sorted(set(self.tasks)):
            raise PlanError(f"a plan's tasks are sorted and named once, not {list(self.tasks)}")
        for unit, row in enumerate(self.rows):
            if len(row) != len(self.tasks) or row != _canonical(row):
                raise PlanError(
                    f"{list(row)} is no canonical partition of {len(self.tasks)} tasks",
                    where=f"unit {unit}",
                    next_step="build the plan with SharingPlan.from_groups",
                )

    @classmethod
    def hard(cls, tasks: Sequence[str], units: int) -> SharingPlan:
        """All tasks share every unit."""
        return cls(tuple(sorted(tasks)), ((0,) * len(tasks),) * units)

    @classmethod
    def independent(cls, tasks: Sequence[str], units: int) -> SharingPlan:
        """No task shares anything: the single-task networks side by side."""
        return cls(tuple(sorted(tasks)), (tuple(range(len(tasks))),) * units)

    @classmethod
    def from_groups(cls, units: Iterable[Iterable[Iterable[str]]]) -> SharingPlan:
        """From the groups of each unit, in any order.

        Raises:
            PlanError: a unit leaves a task out or names it twice.
        """
        listed = [[sorted(group) for group in unit] for unit in units]
        tasks = tuple(sorted({task for unit in listed for group in unit for task in group}))
        rows = []
        for index, unit in enumerate(listed):
            names = sorted(task for group in unit for task in group)
            if names != list(tasks):
                raise PlanError(
                    f"every task stands in exactly one group of a unit, here are {names}",
                    where=f"unit {index}",
                    allowed=tasks,
                )
            of_task = {task: number for number, group in enumerate(unit) for task in group}
            rows.append(_canonical(tuple(of_task[task] for task in tasks)))
        return cls(tasks, tuple(rows))

    @classmethod
    def from_splits(cls, order: Sequence[str], depths: Sequence[int], units: int) -> SharingPlan:
        """A tree plan from an order of the tasks and the depths where neighbours part.

        ``order[i]`` and ``order[i + 1]`` are in one group in units ``0 .. depths[i] - 1``.

        Raises:
            PlanError: not one depth fewer than tasks, or a depth outside ``0 .. units``.
        """
        if len(depths) != len(order) - 1:
            raise PlanError(f"{len(order)} tasks take {len(order) - 1} depths, not {len(depths)}")
        if any(not 0 <= depth <= units for depth in depths):
            raise PlanError(f"split depths lie in 0 .. {units}, not {list(depths)}")
        return cls.from_groups(
            _runs(order, [depth > unit for depth in depths]) for unit in range(units)
        )

    @property
    def copies(self) -> tuple[int, ...]:
        """How many copies of each unit's weights there are."""
        return tuple(max(row) + 1 for row in self.rows)

    @property
    def is_tree(self) -> bool:
        """Whether each unit's groups refine those of the unit before."""
        return all(
            len(set(zip(upper, lower, strict=True))) == max(lower) + 1
            for upper, lower in pairwise(self.rows)
        )

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that equal plans, and only they, have in common."""
        text = json.dumps([self.tasks, self.rows], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def groups(self, unit: int) -> Groups:
        """The groups of one unit, each a tuple of task names."""
        row = self.rows[unit]
        return tuple(
            tuple(task for task, group in zip(self.tasks, row, strict=True) if group == number)
            for number in range(max(row) + 1)
        )

    def to_json(self) -> dict[str, list[list[int]] | list[str]]:
        """A JSON-ready form; :meth:`from_json` reads it back."""
        return {"tasks": list(self.tasks), "rows": [list(row) for row in self.rows]}

    @classmethod
    def from_json(cls, value: dict[str, list[list[int]] | list[str]]) -> SharingPlan:
        """The plan that :meth:`to_json` wrote.

        Raises:
            PlanError: the value is not of that form.
        """
        try:
            tasks = tuple(str(task) for task in value["tasks"])
            rows = tuple(tuple(int(group) for group in row) for row in value["rows"])
        except (KeyError, TypeError, ValueError) as error:
            raise PlanError(f"not a sharing plan: {value!r}") from error
        return cls(tasks, rows)

    def __str__(self) -> str:
        """``hard``, ``independent``, or the depths at which groups change."""
        if max(self.copies) == 1:
            return "hard"
        if min(self.copies) == len(self.tasks):
            return "independent"
        before: Groups = (self.tasks,)
        changes = []
        for unit in range(len(self.rows)):
            now = self.groups(unit)
            changed = [group for group in now if group not in before]
            if changed:
                changes.append(f"{' | '.join('+'.join(group) for group in changed)} @{unit}")
            before = now
        return ", ".join(changes)


def _canonical(row: tuple[int, ...]) -> tuple[int, ...]:
    """Groups renumbered in order of first appearance."""
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(group, len(numbers)) for group in row)


def _runs(order: Sequence[str], together: Sequence[bool]) -> list[list[str]]:
    """Runs of neighbours that are together."""
    runs = [[order[0]]]
    for task, joined in zip(order[1:], together, strict=True):
        if joined:
            runs[-1].append(task)
        else:
            runs.append([task])
    return runs
