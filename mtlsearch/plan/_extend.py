"""Extension of a plan: further tasks that follow paths of the plan, which does not change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mtlsearch.errors import PlanError, did_you_mean
from mtlsearch.plan._canonical import SKIPPED, canonical
from mtlsearch.plan._plan import SharingPlan


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a new task leaves the path of another task.

    Attributes:
        task: the new task.
        follows: a task of the plan, or a new task of an earlier branch.
        depth: number of units that both share, from the image; all units: it has a head alone.
    """

    task: str
    follows: str
    depth: int


def extend_plan(plan: SharingPlan, branches: Iterable[Branch]) -> SharingPlan:
    """Return a plan with further tasks; the groups of the other tasks do not change.

    From its branch point, a new task has its own copy of each unit that the followed task uses. It
    skips what the followed task skips.

    >>> from mtlsearch.plan import SharingPlan
    >>> kept = SharingPlan.from_splits(["boxes", "scene"], depths=[1], units=3)
    >>> print(extend_plan(kept, [Branch("depth", "boxes", 2)]))
    boxes+depth | scene @1, boxes | depth @2

    Args:
        plan: the plan of the network in use.
        branches: one branch per new task.

    Returns:
        The plan of all tasks.

    Raises:
        PlanError: a task exists already, a followed task does not exist, or a depth is not in
            ``0 .. units``.
    """
    num_units = len(plan.rows)
    columns = dict(zip(plan.tasks, zip(*plan.rows, strict=True), strict=True))
    for branch in branches:
        followed = columns.get(branch.follows)
        if branch.task in columns:
            raise PlanError(f"the plan has a task {branch.task!r} already", allowed=["a new name"])
        if followed is None:
            raise PlanError(
                f"task {branch.task!r} cannot follow {branch.follows!r}, which the plan lacks"
                f"{did_you_mean(branch.follows, columns)}",
                allowed=sorted(columns),
            )
        if not 0 <= branch.depth <= num_units:
            raise PlanError(
                f"task {branch.task!r} cannot leave {branch.follows!r} at unit {branch.depth}",
                allowed=[f"0 .. {num_units}"],
            )
        columns[branch.task] = (
            *followed[: branch.depth],
            *_own_groups(columns, followed, branch.depth),
        )
    return _of_columns(columns, plan)


def extend_independent(plan: SharingPlan, tasks: Sequence[str]) -> SharingPlan:
    """Return a plan in which each further task has its own copy of every unit.

    Args:
        plan: the plan of the network in use.
        tasks: the new tasks.

    Returns:
        The plan of all tasks.
    """
    columns = dict(zip(plan.tasks, zip(*plan.rows, strict=True), strict=True))
    for task in tasks:
        columns[task] = _own_groups(columns, (0,) * len(plan.rows), 0)
    return _of_columns(columns, plan)


def extend_heads(plan: SharingPlan, tasks: Sequence[str]) -> SharingPlan:
    """Return a plan in which each further task has a head alone, without a copy of a unit.

    All follow the path to the last unit that most tasks use; of several, that of the first task by
    name.

    Args:
        plan: the plan of the network in use.
        tasks: the new tasks.

    Returns:
        The plan of all tasks.
    """
    paths = list(zip(*plan.paths, strict=True))
    followed = plan.tasks[max(range(len(paths)), key=lambda index: paths.count(paths[index]))]
    return extend_plan(plan, [Branch(task, followed, len(plan.rows)) for task in tasks])


def last_shared(
    plan: SharingPlan, kept: Collection[str], count: int
) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Return the copies of units that new tasks share last with tasks of the network in use.

    >>> from mtlsearch.plan import SharingPlan
    >>> kept = SharingPlan.from_splits(["boxes", "scene"], depths=[1], units=3)
    >>> last_shared(extend_plan(kept, [Branch("depth", "boxes", 2)]), kept.tasks, 1)
    ((1, ('boxes', 'depth')),)

    Args:
        plan: the plan of all tasks.
        kept: the tasks of the network in use.
        count: number of units per new task, the deepest that it shares with a kept task. A new task
            that shares fewer has all of them.

    Returns:
        Unit and tasks of each copy, in depth order.
    """
    copies = set()
    for task in set(plan.tasks).difference(kept):
        shared = [
            (unit, group)
            for unit, group in enumerate(plan.path_of(task))
            if not set(group).isdisjoint(kept)
        ]
        copies |= set(shared[max(0, len(shared) - count) :])
    return tuple(sorted(copies))


def _own_groups(
    columns: dict[str, tuple[int, ...]], followed: tuple[int, ...], depth: int
) -> tuple[int, ...]:
    """Return new groups from a unit on, with the skips of a followed task."""
    return tuple(
        SKIPPED if group == SKIPPED else 1 + max(column[unit] for column in columns.values())
        for unit, group in enumerate(followed[depth:], start=depth)
    )


def _of_columns(columns: dict[str, tuple[int, ...]], plan: SharingPlan) -> SharingPlan:
    tasks = tuple(sorted(columns))
    rows = (
        canonical(tuple(columns[task][unit] for task in tasks)) for unit in range(len(plan.rows))
    )
    return SharingPlan(tasks, tuple(rows), plan.statistics)
