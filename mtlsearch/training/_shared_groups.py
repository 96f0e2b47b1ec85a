"""Which weights are shared by whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from mtlsearch.models import MultiTaskNetwork


@dataclass(frozen=True, slots=True, eq=False)
class SharedGroup:
    """One group's copy of a unit that more than one task uses.

    Attributes:
        tasks: the tasks of the group, sorted.
        parameters: its weights.
    """

    tasks: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]


def shared_groups(network: MultiTaskNetwork) -> list[SharedGroup]:
    """What a network's tasks share: a part a unit and group of two or more, in depth order."""
    return [
        SharedGroup(group, tuple(network.unit_parameters(unit, group).values()))
        for unit, group in network.plan.shared_groups()
    ]


def connected(parts: Iterable[SharedGroup]) -> list[tuple[str, ...]]:
    """The sets of tasks that are connected by sharing, each sorted; in a tree those of unit 0."""
    found: list[set[str]] = []
    for part in parts:
        joined = set(part.tasks).union(*(at for at in found if at & set(part.tasks)))
        found = [at for at in found if not at & joined] + [joined]
    return sorted(tuple(sorted(at)) for at in found)


def rows_of(tasks: Sequence[str], names: Sequence[str]) -> list[int]:
    """Where the names that are among ``tasks`` stand."""
    return [row for row, name in enumerate(names) if name in tasks]
