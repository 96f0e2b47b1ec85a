"""Copies of a model that have in common what a plan shares."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import nn

from mtlsearch.models.cutting import SkipUnit, UnitModules
from mtlsearch.plan import SKIPPED, SharingPlan


def build_task_models(
    template: nn.Module, pieces: Sequence[UnitModules], plan: SharingPlan
) -> dict[str, nn.Module]:
    """One copy of the template a task.

    Parameters are the same objects wherever tasks share a unit. So are modules, and with them
    buffers such as running statistics; unless the plan keeps those by path, then only where
    the tasks have come the same way. Where a task passes by a unit, its copy has no such unit.

    Args:
        template: the model; left untouched.
        pieces: its units.
        plan: the plan, for as many units.
    """
    weights, modules = ModuleOwners(), ModuleOwners()
    rows = plan.rows if plan.statistics == "shared" else plan.paths
    task_models = {}
    for place, task in enumerate(plan.tasks):
        copies = [row[place] for row in plan.rows]
        sites = [row[place] for row in rows]
        memo: dict[int, Any] = {}
        _leave_out(template, pieces, copies, memo)
        _take_weights(template, pieces, weights.of(copies), memo)
        _take_modules(template, pieces, modules.of(sites), memo)
        task_models[task] = copy.deepcopy(template, memo)
        weights.add(copies, task_models[task])
        modules.add(sites, task_models[task])
    return task_models


class ModuleOwners:
    """The first shell that has each copy, or run, of each unit."""

    def __init__(self) -> None:
        self._shells: dict[tuple[int, int], nn.Module] = {}

    def of(self, numbers: Sequence[int]) -> list[nn.Module | None]:
        """For every unit the owner of the number that is wanted of it, if there is one yet."""
        return [self._shells.get(at) for at in enumerate(numbers)]

    def add(self, numbers: Sequence[int], task_model: nn.Module) -> None:
        """Enter a shell as the owner of what nobody has so far."""
        for unit, number in enumerate(numbers):
            if number != SKIPPED:
                self._shells.setdefault((unit, number), task_model)


def _leave_out(
    template: nn.Module, pieces: Sequence[UnitModules], numbers: Sequence[int], memo: dict[int, Any]
) -> None:
    for piece, number in zip(pieces, numbers, strict=True):
        for path in piece.modules if number == SKIPPED else ():
            memo[id(template.get_submodule(path))] = SkipUnit()


def _take_weights(
    template: nn.Module,
    pieces: Sequence[UnitModules],
    owners: Sequence[nn.Module | None],
    memo: dict[int, Any],
) -> None:
    for piece, owner in zip(pieces, owners, strict=True):
        if owner is not None:
            for name in piece.parameters:
                memo[id(template.get_parameter(name))] = owner.get_parameter(name)


def _take_modules(
    template: nn.Module,
    pieces: Sequence[UnitModules],
    owners: Sequence[nn.Module | None],
    memo: dict[int, Any],
) -> None:
    """Whole modules, where all weights inside are taken too.

    A module that runs in several units belongs to the first of them. Some weights inside may
    be another unit's, as where a family ties modules; that unit need not be shared.
    """
    taken: set[str] = set()
    for piece, owner in zip(pieces, owners, strict=True):
        for path in piece.modules:
            if path in taken:
                continue
            taken.add(path)
            if owner is None:
                continue
            own, other = template.get_submodule(path), owner.get_submodule(path)
            pairs = zip(own.parameters(), other.parameters(), strict=True)
            if all(memo.get(id(mine)) is theirs for mine, theirs in pairs):
                memo[id(own)] = other
