"""Sharing plan: a partition of the tasks per unit, in canonical form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, get_args

from mtlsearch.errors import PlanError
from mtlsearch.plan._canonical import SKIPPED, Row, canonical, run_numbers

Groups = tuple[tuple[str, ...], ...]
"""Groups of one unit, each as its task names."""

TaskPath = tuple[tuple[str, ...], ...]
"""The group that one task belongs to at every unit; empty where it skips the unit."""

Statistics = Literal["shared", "path"]
"""Whether BatchNorm statistics belong to a copy (``"shared"``) or to each run (``"path"``)."""


@dataclass(frozen=True, slots=True)
class SharingPlan:
    """Which tasks share which units: a partition of the tasks for every unit.

    Plans that mean the same compare equal. Tasks are sorted, and the partition of each unit is a
    *restricted growth string*: group numbers count from 0 in order of first appearance. Build
    plans with :meth:`hard`, :meth:`independent`, :meth:`from_groups` or :meth:`from_splits`,
    which ensure this form.

    Attributes:
        tasks: task names, sorted, each once.
        rows: one row per unit in depth order; ``rows[u][t]`` is the group of ``tasks[t]`` in
            unit ``u``, or -1 if that task skips the unit.
        statistics: owner of the BatchNorm statistics of a unit that runs on several inputs:
            its copy (``"shared"``) or each of its runs (``"path"``). Always ``"shared"`` if
            no copy runs more than once.

    Raises:
        PlanError: there is no task or no unit, a task occurs twice, or a row is not canonical.
    """

    tasks: tuple[str, ...]
    rows: tuple[Row, ...]
    statistics: Statistics = "shared"

    def __post_init__(self) -> None:
        if not self.tasks or not self.rows:
            raise PlanError("a sharing plan needs at least one task and one unit")
        if list(self.tasks) != sorted(set(self.tasks)):
            raise PlanError(f"tasks of a plan must be sorted and unique, got {list(self.tasks)}")
        for unit, row in enumerate(self.rows):
            if len(row) != len(self.tasks) or row != canonical(row):
                raise PlanError(
                    f"{list(row)} is not a canonical partition of {len(self.tasks)} tasks",
                    where=f"unit {unit}",
                    next_step="build the plan with SharingPlan.from_groups",
                )
        if self.statistics != "shared" and self.runs == self.copies:
            object.__setattr__(self, "statistics", "shared")

    @classmethod
    def hard(cls, tasks: Sequence[str], units: int) -> SharingPlan:
        """Return the plan in which all tasks share every unit.

        Args:
            tasks: task names in any order.
            units: number of units.

        Returns:
            The plan.
        """
        return cls(tuple(sorted(tasks)), ((0,) * len(tasks),) * units)

    @classmethod
    def independent(cls, tasks: Sequence[str], units: int) -> SharingPlan:
        """Return the plan in which no tasks share a unit: one network per task.

        Args:
            tasks: task names in any order.
            units: number of units.

        Returns:
            The plan.
        """
        return cls(tuple(sorted(tasks)), (tuple(range(len(tasks))),) * units)

    @classmethod
    def from_groups(cls, units: Iterable[Iterable[Iterable[str]]]) -> SharingPlan:
        """Return the plan with the given groups of task names.

        Args:
            units: groups of each unit in depth order; groups and names in any order.

        Returns:
            The plan.

        Raises:
            PlanError: a task is in no group or in several groups of a unit.
        """
        groups_by_unit = [[sorted(group) for group in unit] for unit in units]
        tasks = tuple(sorted({task for unit in groups_by_unit for group in unit for task in group}))
        rows = []
        for index, groups in enumerate(groups_by_unit):
            names = sorted(task for group in groups for task in group)
            if names != list(tasks):
                raise PlanError(
                    f"every task must be in exactly one group of a unit, got {names}",
                    where=f"unit {index}",
                    allowed=tasks,
                )
            number_by_task = {task: number for number, group in enumerate(groups) for task in group}
            rows.append(canonical(tuple(number_by_task[task] for task in tasks)))
        return cls(tasks, tuple(rows))

    @classmethod
    def from_splits(cls, order: Sequence[str], depths: Sequence[int], units: int) -> SharingPlan:
        """Return a tree plan from an order of the tasks and split depths between neighbors.

        ``order[i]`` and ``order[i + 1]`` share the units ``0 .. depths[i] - 1``.

        Args:
            order: task names.
            depths: split depth of each pair of neighbors, one fewer than tasks, in
                ``0 .. units``.
            units: number of units.

        Returns:
            The plan; every tree plan has such a form.

        Raises:
            PlanError: the number of depths is wrong, or a depth is outside ``0 .. units``.
        """
        if len(depths) != len(order) - 1:
            raise PlanError(
                f"{len(order)} tasks need {len(order) - 1} split depths, got {len(depths)}"
            )
        if any(not 0 <= depth <= units for depth in depths):
            raise PlanError(f"split depths must be in 0 .. {units}, got {list(depths)}")
        return cls.from_groups(
            _split(order, [depth > unit for depth in depths]) for unit in range(units)
        )

    def with_skips(self, skips: Mapping[int, Iterable[str]]) -> SharingPlan:
        """Return a copy in which some tasks skip some units.

        Args:
            skips: the tasks that skip a unit, by unit index.

        Returns:
            The plan with these skips.

        Raises:
            PlanError: a unit or a task does not exist.
        """
        rows = list(self.rows)
        for unit, names in skips.items():
            tasks = set(names)
            if not 0 <= unit < len(rows) or not tasks <= set(self.tasks):
                raise PlanError(
                    f"{', '.join(sorted(tasks)) or 'no task'} cannot skip unit {unit}",
                    allowed=[f"units 0 .. {len(rows) - 1}", *self.tasks],
                )
            groups = zip(self.tasks, rows[unit], strict=True)
            rows[unit] = canonical(
                tuple(SKIPPED if task in tasks else group for task, group in groups)
            )
        return replace(self, rows=tuple(rows))

    def with_statistics(self, statistics: Statistics) -> SharingPlan:
        """Return a copy with another owner of the BatchNorm statistics.

        Call it last: a plan without a unit that runs on several inputs keeps ``"shared"``.

        Args:
            statistics: ``"shared"`` or ``"path"``.

        Returns:
            The plan.
        """
        return replace(self, statistics=statistics)

    @property
    def copies(self) -> tuple[int, ...]:
        """Number of copies of each unit; 0 if all tasks skip it."""
        return tuple(max(row) + 1 for row in self.rows)

    @property
    def paths(self) -> tuple[Row, ...]:
        """For every unit and task, the number of the run that computes the task's features.

        Two tasks have the same run of a unit if all their groups and skips so far are equal.
        -1 if the task skips the unit.
        """
        return run_numbers(self.rows)

    @property
    def runs(self) -> tuple[int, ...]:
        """Number of runs of each unit in a forward pass of all tasks: one per distinct path."""
        return tuple(max(row) + 1 for row in self.paths)

    @property
    def is_tree(self) -> bool:
        """Whether tasks that separated never share again, and no task skips a unit."""
        return not self.has_skips and all(
            len(set(zip(upper, lower, strict=True))) == max(lower) + 1
            for upper, lower in pairwise(self.rows)
        )

    @property
    def has_skips(self) -> bool:
        """Whether a task skips a unit."""
        return any(SKIPPED in row for row in self.rows)

    @property
    def shares(self) -> bool:
        """Whether two tasks share a unit."""
        return any(True for _ in self.shared_groups())

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of a SHA-256, which identify the plan."""
        parts: list[Any] = [self.tasks, self.rows]
        if self.statistics != "shared":
            parts.append(self.statistics)
        text = json.dumps(parts, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def groups(self, unit: int) -> Groups:
        """Return the groups of one unit, without tasks that skip it.

        Args:
            unit: index of the unit.

        Returns:
            One tuple of task names per group, in order of group numbers.
        """
        return _groups_of(self.tasks, self.rows[unit])

    def path_of(self, task: str) -> TaskPath:
        """Return the groups of one task, of which its features are computed.

        >>> SharingPlan.from_splits(["a", "b", "c"], depths=[1, 2], units=3).path_of("b")
        (('a', 'b', 'c'), ('b', 'c'), ('b',))

        Args:
            task: a task of the plan.

        Returns:
            The group at every unit.
        """
        column = self.tasks.index(task)
        return tuple(
            () if row[column] == SKIPPED else self.groups(unit)[row[column]]
            for unit, row in enumerate(self.rows)
        )

    def shared_groups(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield every copy that several tasks use, in depth order.

        Yields:
            Index of the unit and names of the tasks.
        """
        for unit in range(len(self.rows)):
            for group in self.groups(unit):
                if len(group) > 1:
                    yield unit, group

    def skips(self, unit: int) -> tuple[str, ...]:
        """Return the tasks that skip a unit.

        Args:
            unit: index of the unit.

        Returns:
            Task names, sorted.
        """
        return _skips_of(self.tasks, self.rows[unit])

    def describe_unit(self, unit: int) -> tuple[str, ...]:
        """Return the groups of one unit and the tasks that skip it, as text.

        Args:
            unit: index of the unit.

        Returns:
            Such as ``("boxes+outline", "scene skips")``.
        """
        return _description_of(self.tasks, self.rows[unit])

    def __str__(self) -> str:
        """Return ``hard``, ``independent``, or the units at which groups change."""
        text = ", ".join(self._changes()) or "hard"
        if not self.has_skips and min(self.copies) == len(self.tasks) > 1:
            text = "independent"
        return text if self.statistics == "shared" else f"{text}; statistics per {self.statistics}"

    def _changes(self) -> Iterator[str]:
        """Yield for each unit the groups and skips that the unit before it does not have."""
        previous: tuple[str, ...] = ("+".join(self.tasks),)
        for unit in range(len(self.rows)):
            current = self.describe_unit(unit)
            changed = [part for part in current if part not in previous]
            if changed:
                yield f"{' | '.join(changed)} @{unit}"
            previous = current

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form.

        Returns:
            A dictionary that :meth:`from_json` reads.
        """
        value: dict[str, Any] = {"tasks": list(self.tasks), "rows": [list(r) for r in self.rows]}
        return value if self.statistics == "shared" else {**value, "statistics": self.statistics}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SharingPlan:
        """Return the plan that :meth:`to_json` wrote.

        Args:
            value: the JSON form.

        Returns:
            The plan.

        Raises:
            PlanError: the value does not have this form, or the plan is illegal.
        """
        try:
            tasks = tuple(str(task) for task in value["tasks"])
            rows = tuple(tuple(map(int, row)) for row in value["rows"])
            statistics = value.get("statistics", "shared")
        except (ArithmeticError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanError(f"not a sharing plan: {value!r}") from error
        if statistics not in get_args(Statistics):
            raise PlanError(
                f"unknown `statistics` {statistics!r} in a sharing plan",
                allowed=get_args(Statistics),
            )
        return cls(tasks, rows, statistics)


def _split(order: Sequence[str], is_shared: Sequence[bool]) -> list[list[str]]:
    """Return runs of neighbors; ``is_shared[i]`` joins ``order[i]`` and ``order[i + 1]``."""
    groups = [[order[0]]]
    for task, joined in zip(order[1:], is_shared, strict=True):
        if joined:
            groups[-1].append(task)
        else:
            groups.append([task])
    return groups


# Many plans have few different rows.
@lru_cache(maxsize=4096)
def _groups_of(tasks: tuple[str, ...], row: Row) -> Groups:
    return tuple(
        tuple(task for task, group in zip(tasks, row, strict=True) if group == number)
        for number in range(max(row) + 1)
    )


def _skips_of(tasks: tuple[str, ...], row: Row) -> tuple[str, ...]:
    return tuple(task for task, group in zip(tasks, row, strict=True) if group == SKIPPED)


@lru_cache(maxsize=4096)
def _description_of(tasks: tuple[str, ...], row: Row) -> tuple[str, ...]:
    groups = ("+".join(group) for group in _groups_of(tasks, row))
    return (*groups, *(f"{task} skips" for task in _skips_of(tasks, row)))
