"""Search space of extensions: where new tasks leave the paths of a network that is kept.

Each new task follows a kept task, or an earlier new task, to a branch point. From there it has its
own copies, which start from the weights of the path that it leaves. Several params can mean one
network, for example if two kept tasks share all units. Such proposals are equal candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from mtlsearch.plugin import (
    Branch,
    Candidate,
    SearchSpace,
    Settings,
    SharingPlan,
    Suggest,
    UnitSpec,
    count_tree_plans,
    extend_plan,
    hookimpl,
    tree_plans,
)

MAX_COMBINATIONS = 50_000
"""Largest number of combinations of params that are enumerated."""


class BranchSpace(SearchSpace[Settings]):
    """Every plan in which new tasks branch from the paths of a kept network."""

    name = "branch"
    summary = "new tasks branch from the paths of a network that is kept (`mtlsearch extend`)"
    starter = False
    extends = True

    def propose(
        self, suggest: Suggest, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Candidate:
        """Return an extension from a followed task and a branch point per new task."""
        extension = self._extension(units, tasks)
        for task in self._new_tasks(tasks):
            names = extension.followed
            follows = names[0]
            if len(names) > 1:
                follows = suggest.suggest_categorical(f"follow_{task}", names)
            depth = suggest.suggest_int(f"leave_{task}", 0, len(units))
            extension = extension.with_branch(Branch(task, follows, depth))
        return extension.candidate

    def encode(
        self, candidate: Candidate, units: Sequence[UnitSpec], tasks: Sequence[str]
    ) -> Mapping[str, int | float | str] | None:
        """Return the followed task and the branch point of each new task."""
        plan, extension = candidate.plan, self._extension(units, tasks)
        kept = extension.plan.tasks
        new = self._new_tasks(tasks)
        if plan.tasks != tuple(sorted({*kept, *new})) or len(plan.rows) != len(units):
            return None
        params: dict[str, int | float | str] = {}
        for task in new:
            names = extension.followed
            branches = (Branch(task, name, _num_shared(plan, task, name)) for name in names)
            further = (extension.with_branch(branch) for branch in branches)
            origin = (candidate.origins or {}).get(task)
            extended = next((item for item in further if item.has(plan, task, origin)), None)
            if extended is None:
                return None
            extension = extended
            branch = extension.branches[-1]
            if len(names) > 1:
                params[f"follow_{task}"] = branch.follows
            params[f"leave_{task}"] = branch.depth
        return params if extension.candidate.plan == plan else None

    def count(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> int | None:
        """Return the number of extensions; None if it is large."""
        if self.kept_plan is None:
            return count_tree_plans(len(tasks), len(units))
        num_kept = len(self.kept_plan.tasks)
        factors = ((num_kept + index) * (len(units) + 1) for index in range(len(tasks)))
        if prod(factors) > MAX_COMBINATIONS:
            return None
        return sum(1 for _ in self.candidates(units, tasks))

    def candidates(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> Iterator[Candidate]:
        """Return every extension."""
        if self.kept_plan is None:
            return map(Candidate, tree_plans(tasks, len(units)))
        every = _grow(self._extension(units, tasks), self._new_tasks(tasks), len(units))
        return iter({candidate.digest: candidate for candidate in every}.values())

    def _extension(self, units: Sequence[UnitSpec], tasks: Sequence[str]) -> _Extension:
        if self.kept_plan is None:  # the first task then has the only path
            return _Extension(SharingPlan.hard(tasks[:1], len(units)), has_origins=False)
        return _Extension(self.kept_plan)

    def _new_tasks(self, tasks: Sequence[str]) -> Sequence[str]:
        return tasks[1:] if self.kept_plan is None else tasks


@dataclass(frozen=True, slots=True)
class _Extension:
    """A kept plan with branches.

    Attributes:
        plan: the kept plan.
        branches: one branch per new task, in canonical form.
        origins: the kept task whose weights the copies of a new task start from.
        has_origins: whether candidates contain the origins.
    """

    plan: SharingPlan
    branches: tuple[Branch, ...] = ()
    origins: tuple[tuple[str, str], ...] = ()
    has_origins: bool = True

    @property
    def followed(self) -> tuple[str, ...]:
        """The tasks that the next new task can follow."""
        return (*self.plan.tasks, *(branch.task for branch in self.branches))

    @property
    def candidate(self) -> Candidate:
        """The candidate with the plan of all tasks."""
        plan = extend_plan(self.plan, self.branches)
        return Candidate(plan, origins=dict(self.origins) if self.has_origins else None)

    def with_branch(self, branch: Branch) -> _Extension:
        """Add a branch, from a kept task if it leaves the path before its followed task does."""
        earlier = {item.task: item for item in self.branches}
        follows = branch.follows
        while follows in earlier and branch.depth <= earlier[follows].depth:
            follows = earlier[follows].follows
        origin = dict(self.origins).get(follows)
        if follows in self.plan.tasks and branch.depth < len(self.plan.rows):
            origin = _first_alike(self.plan, follows, branch.depth)
        origins = self.origins if origin is None else (*self.origins, (branch.task, origin))
        return _Extension(self.plan, (*self.branches, branch), origins, self.has_origins)

    def has(self, plan: SharingPlan, task: str, origin: str | None) -> bool:
        """Return whether the last branch gives a task its path and origin in a plan."""
        if self.has_origins and dict(self.origins).get(task) != origin:
            return False
        extended = extend_plan(self.plan, self.branches)
        return all(
            set(group) == set(whole) & set(extended.tasks)
            for group, whole in zip(extended.path_of(task), plan.path_of(task), strict=True)
        )


def _grow(extension: _Extension, tasks: Sequence[str], num_units: int) -> Iterator[Candidate]:
    """Yield the candidates of all branches of some tasks; some of them are equal."""
    if not tasks:
        yield extension.candidate
        return
    for follows in extension.followed:
        for depth in range(num_units + 1):
            branch = Branch(tasks[0], follows, depth)
            yield from _grow(extension.with_branch(branch), tasks[1:], num_units)


def _first_alike(plan: SharingPlan, task: str, depth: int) -> str:
    """Return the first task with the same weights and statistics as a task from a unit on."""
    columns = {
        name: (column[depth:], path[depth:])
        for name, column, path in zip(
            plan.tasks, zip(*plan.rows, strict=True), zip(*plan.paths, strict=True), strict=True
        )
    }
    return next(name for name in plan.tasks if columns[name] == columns[task])


def _num_shared(plan: SharingPlan, task: str, followed: str) -> int:
    """Return the number of units, from the image, that two tasks share or both skip."""
    pairs = zip(plan.path_of(task), plan.path_of(followed), strict=True)
    return next(
        (unit for unit, (group, other) in enumerate(pairs) if group != other), len(plan.rows)
    )


@hookimpl
def mtlsearch_search_spaces() -> list[type[SearchSpace[Settings]]]:
    """Return the space ``branch``."""
    return [BranchSpace]
