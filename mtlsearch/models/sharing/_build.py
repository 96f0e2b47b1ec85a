"""Construction of task models: deep copies of the backbone with common modules."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import nn

from mtlsearch.models.cutting import SkipUnit, UnitModules
from mtlsearch.plan import SKIPPED, SharingPlan


def build_task_models(
    template: nn.Module, units: Sequence[UnitModules], plan: SharingPlan
) -> dict[str, nn.Module]:
    """Build one task model per task of a plan.

    Tasks that share a unit have the same parameter objects in it. They also have the same
    module objects and, with them, buffers such as running statistics. With
    ``statistics="path"`` only tasks on the same path have the same module objects. A unit that
    a task skips is replaced by identities in its task model.

    Args:
        template: the backbone; it does not change.
        units: its units in depth order.
        plan: a plan for these units.

    Returns:
        The task models by task, in the order of ``plan.tasks``.
    """
    parameter_owners, module_owners = ModuleOwners(), ModuleOwners()
    module_rows = plan.rows if plan.statistics == "shared" else plan.paths
    task_models = {}
    for column, task in enumerate(plan.tasks):
        copy_ids = [row[column] for row in plan.rows]
        module_ids = [row[column] for row in module_rows]
        # deepcopy uses the memo's entry for an object in place of a copy.
        memo: dict[int, Any] = {}
        _skip_units(template, units, copy_ids, memo)
        _reuse_parameters(template, units, parameter_owners.find(copy_ids), memo)
        _reuse_modules(template, units, module_owners.find(module_ids), memo)
        task_models[task] = copy.deepcopy(template, memo)
        parameter_owners.add(copy_ids, task_models[task])
        module_owners.add(module_ids, task_models[task])
    return task_models


class ModuleOwners:
    """The first task model that contains each copy of each unit."""

    def __init__(self) -> None:
        self._task_models: dict[tuple[int, int], nn.Module] = {}

    def find(self, copy_ids: Sequence[int]) -> list[nn.Module | None]:
        """Find the owner of one copy of every unit.

        Args:
            copy_ids: number of the copy, for every unit.

        Returns:
            The task model that owns the copy; None if the copy does not exist yet.
        """
        return [self._task_models.get(key) for key in enumerate(copy_ids)]

    def add(self, copy_ids: Sequence[int], task_model: nn.Module) -> None:
        """Make a task model the owner of all its copies that have no owner.

        Args:
            copy_ids: number of the copy, for every unit.
            task_model: the task model that contains them.
        """
        for unit, copy_id in enumerate(copy_ids):
            if copy_id != SKIPPED:
                self._task_models.setdefault((unit, copy_id), task_model)


def _skip_units(
    template: nn.Module, units: Sequence[UnitModules], copy_ids: Sequence[int], memo: dict[int, Any]
) -> None:
    """Put identities in place of all modules of skipped units."""
    for unit, copy_id in zip(units, copy_ids, strict=True):
        for path in unit.modules if copy_id == SKIPPED else ():
            memo[id(template.get_submodule(path))] = SkipUnit()


def _reuse_parameters(
    template: nn.Module,
    units: Sequence[UnitModules],
    owners: Sequence[nn.Module | None],
    memo: dict[int, Any],
) -> None:
    """Put the owners' parameters in place of copies."""
    for unit, owner in zip(units, owners, strict=True):
        if owner is not None:
            for name in unit.parameters:
                memo[id(template.get_parameter(name))] = owner.get_parameter(name)


def _reuse_modules(
    template: nn.Module,
    units: Sequence[UnitModules],
    owners: Sequence[nn.Module | None],
    memo: dict[int, Any],
) -> None:
    """Put the owners' modules in place of copies where all their parameters are reused.

    A module that runs in several units belongs to the first of them. If the model uses some of
    its parameters in another unit as well, that unit may not be shared; then the module is
    copied.
    """
    visited: set[str] = set()
    for unit, owner in zip(units, owners, strict=True):
        for path in unit.modules:
            if path in visited:
                continue
            visited.add(path)
            if owner is None:
                continue
            module, owned = template.get_submodule(path), owner.get_submodule(path)
            pairs = zip(module.parameters(), owned.parameters(), strict=True)
            if all(memo.get(id(parameter)) is reused for parameter, reused in pairs):
                memo[id(module)] = owned
