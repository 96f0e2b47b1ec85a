"""The sharing plan: for every unit a partition of the tasks, in one canonical form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from mtlsearch.errors import PlanError
from mtlsearch.plan._describe import describe
from mtlsearch.plan._rows import SKIPPED, Row, canonical, paths
from mtlsearch.plan._statistics import Statistics, read_statistics

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class SharingPlan:
    """For every unit a partition of the tasks.

    Equal plans are equal: tasks are sorted, and each unit's partition is a *restricted
    growth string*, one group number a task, numbered in order of first appearance. A task
    that passes by a unit has no group there.

    Attributes:
        tasks: the task names, sorted.
        rows: one row a unit, in depth order; ``rows[u][t]`` is the group of ``tasks[t]``, or
            -1 where that task passes by the unit.
        statistics: what keeps running statistics, as BatchNorm has them, in a unit that runs
            on several inputs: its copy (``"shared"``, one set) or each of its runs
            (``"path"``). Always ``"shared"`` where no unit runs on several.

    Raises:
        PlanError: no task, no unit, a task named twice, or rows not in canonical form
            (build from groups with :meth:`from_groups`, which makes them so).
    """

    tasks: tuple[str, ...]
    rows: tuple[Row, ...]
    statistics: Statistics = "shared"

    def __post_init__(self) -> None:
        if not self.tasks or not self.rows:
            raise PlanError("a sharing plan needs at least one task and one unit")
        if list(self.tasks) != sorted(set(self.tasks)):
            raise PlanError(f"a plan's tasks are sorted and named once, not {list(self.tasks)}")
        for unit, row in enumerate(self.rows):
            if len(row) != len(self.tasks) or row != canonical(row):
                raise PlanError(
                    f"{list(row)} is no canonical partition of {len(self.tasks)} tasks",
                    where=f"unit {unit}",
                    next_step="build the plan with SharingPlan.from_groups",
                )
        if self.statistics != "shared" and self.runs == self.copies:
            object.__setattr__(self, "statistics", "shared")

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
            rows.append(canonical(tuple(of_task[task] for task in tasks)))
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

    def with_skips(self, skips: Mapping[int, Iterable[str]]) -> SharingPlan:
        """The same plan, but for tasks that pass by some units.

        Args:
            skips: for a unit's number, the tasks that pass by it.

        Raises:
            PlanError: there is no such unit or task.
        """
        rows = list(self.rows)
        for unit, tasks in skips.items():
            passing = set(tasks)
            if not 0 <= unit < len(rows) or not passing <= set(self.tasks):
                raise PlanError(
                    f"{', '.join(sorted(passing)) or 'no task'} cannot pass by unit {unit}",
                    allowed=[f"units 0 .. {len(rows) - 1}", *self.tasks],
                )
            row = zip(self.tasks, rows[unit], strict=True)
            rows[unit] = canonical(
                tuple(SKIPPED if task in passing else group for task, group in row)
            )
        return replace(self, rows=tuple(rows))

    def with_statistics(self, statistics: Statistics) -> SharingPlan:
        """The same plan with running statistics kept by copies or by runs; comes last.

        A plan of which no unit runs on several inputs stays as it is.
        """
        return replace(self, statistics=statistics)

    @property
    def copies(self) -> tuple[int, ...]:
        """How many copies of each unit's weights there are; 0 where all tasks pass by."""
        return tuple(max(row) + 1 for row in self.rows)

    @property
    def paths(self) -> tuple[Row, ...]:
        """For every unit and task the number of the run that the task has a part in.

        Tasks have one in common where they have shared everything so far: the same groups
        and the same units passed by. -1 where the task passes by the unit.
        """
        return paths(self.rows)

    @property
    def runs(self) -> tuple[int, ...]:
        """How often each unit runs in a forward of all tasks: once for every distinct path."""
        return tuple(max(row) + 1 for row in self.paths)

    @property
    def is_tree(self) -> bool:
        """Whether no task passes by a unit and each unit's groups refine those before."""
        return not self.has_skips and all(
            len(set(zip(upper, lower, strict=True))) == max(lower) + 1
            for upper, lower in pairwise(self.rows)
        )

    @property
    def has_skips(self) -> bool:
        """Whether a task passes by a unit."""
        return any(SKIPPED in row for row in self.rows)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that equal plans, and only they, have in common."""
        parts: list[Any] = [self.tasks, self.rows]
        if self.statistics != "shared":
            parts.append(self.statistics)
        text = json.dumps(parts, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def groups(self, unit: int) -> Groups:
        """The groups of one unit, each a tuple of task names; without tasks that pass by."""
        row = self.rows[unit]
        return tuple(
            tuple(task for task, group in zip(self.tasks, row, strict=True) if group == number)
            for number in range(max(row) + 1)
        )

    def shared_groups(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Unit and tasks of every copy that more than one task uses, in depth order."""
        for unit in range(len(self.rows)):
            for group in self.groups(unit):
                if len(group) > 1:
                    yield unit, group

    @property
    def shares(self) -> bool:
        """Whether any two tasks share anything."""
        return any(True for _ in self.shared_groups())

    def skipping(self, unit: int) -> tuple[str, ...]:
        """The tasks that pass by a unit."""
        named = zip(self.tasks, self.rows[unit], strict=True)
        return tuple(task for task, group in named if group == SKIPPED)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form; :meth:`from_json` reads it back."""
        value: dict[str, Any] = {"tasks": list(self.tasks), "rows": [list(r) for r in self.rows]}
        return value if self.statistics == "shared" else {**value, "statistics": self.statistics}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SharingPlan:
        """The plan that :meth:`to_json` wrote.

        Raises:
            PlanError: the value is not of that form.
        """
        try:
            tasks = tuple(str(task) for task in value["tasks"])
            rows = tuple(tuple(int(group) for group in row) for row in value["rows"])
            statistics = read_statistics(value.get("statistics", "shared"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanError(f"not a sharing plan: {value!r}") from error
        return cls(tasks, rows, statistics)

    def __str__(self) -> str:
        """``hard``, ``independent``, or the depths at which groups change."""
        return describe(self)


def _runs(order: Sequence[str], together: Sequence[bool]) -> list[list[str]]:
    """Runs of neighbours that are together."""
    runs = [[order[0]]]
    for task, joined in zip(order[1:], together, strict=True):
        if joined:
            runs[-1].append(task)
        else:
            runs.append([task])
    return runs
