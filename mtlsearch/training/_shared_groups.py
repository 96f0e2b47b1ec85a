"""Shared groups: the parameters that several tasks use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import nn

from mtlsearch.models import MultiTaskNetwork


@dataclass(frozen=True, slots=True, eq=False)
class SharedGroup:
    """Parameters of one copy of a unit that two or more tasks use.

    Attributes:
        tasks: names of the tasks, sorted.
        parameters: trained parameters of the copy.
    """

    tasks: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]


def shared_groups(network: MultiTaskNetwork) -> list[SharedGroup]:
    """Return the shared groups of a network.

    Args:
        network: the network.

    Returns:
        One entry per unit and group of two or more tasks, in depth order. Tasks do not influence
        each other in frozen units, which have no entry.
    """
    return [
        SharedGroup(group, tuple(network.unit_parameters(unit, group).values()))
        for unit, group in network.plan.shared_groups()
        if unit >= network.num_frozen
    ]


def connected_tasks(groups: Iterable[SharedGroup]) -> list[tuple[str, ...]]:
    """Return the sets of tasks that are connected by sharing, directly or through other tasks.

    In a tree, these are the groups of unit 0.
    """
    components: list[set[str]] = []
    for group in groups:
        tasks = set(group.tasks)
        joined = tasks.union(*(component for component in components if component & tasks))
        components = [component for component in components if not component & joined] + [joined]
    return sorted(tuple(sorted(component)) for component in components)


def rows_of(tasks: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the indices of those ``names`` that are among ``tasks``."""
    return [row for row, name in enumerate(names) if name in tasks]
