"""Merging of single-task backbones: weights of a shared unit from those of its tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from mtlsearch.models.cutting import UnitModules
from mtlsearch.plan import TaskPath

State = Mapping[str, Tensor]
"""Weights and buffers by name."""


def merge_path(
    units: Sequence[UnitModules],
    initial: State,
    trained: Mapping[str, State],
    path: TaskPath,
    factor: float | None = None,
) -> dict[str, Tensor]:
    """Return the state of a task model whose units are merged along a path.

    Units of a plan in which no tasks share are those of the single-task backbone, bit for bit.

    Args:
        units: the units of the backbone in depth order.
        initial: state of the backbone that all single-task backbones started from.
        trained: state of the trained single-task backbone by task.
        path: the group at every unit; an empty group skips the unit.
        factor: see :func:`merge_states`. Buffers, such as running statistics, are averaged.

    Returns:
        Tensors by the names of ``initial``, without those of skipped units.
    """
    unit_by_name = _unit_by_name(units, initial)
    weights = {name for unit in units for name in unit.parameters}
    merged = {name: value for name, value in initial.items() if unit_by_name[name] is None}
    for index, group in enumerate(path):
        names = [name for name in initial if unit_by_name[name] == index]
        if group:
            merged |= merge_states(
                {name: initial[name] for name in names},
                {task: {name: trained[task][name] for name in names} for task in group},
                factor,
                averaged=[name for name in names if name not in weights],
            )
    return merged


def merge_states(
    initial: State,
    trained: Mapping[str, State],
    factor: float | None = None,
    *,
    averaged: Collection[str] = (),
) -> dict[str, Tensor]:
    """Add the changes of several trainings that started from the same weights.

    Each tensor becomes ``initial + factor * sum(trained - initial)``, computed in float64 (task
    arithmetic, Ilharco et al. 2023). The order of the tasks has no effect.

    Args:
        initial: tensors before the trainings, by name.
        trained: tensors after the training of each task, with the same names.
        factor: factor of the sum of the changes; None for the mean of the trained tensors.
        averaged: names of tensors that are averaged with any factor. Integers are never merged:
            they are those of the first task in the order of names.

    Returns:
        Tensors by name. Those of a single task are returned as they are.
    """
    tasks = sorted(trained)
    first = trained[tasks[0]]
    if len(tasks) == 1:
        return {name: first[name] for name in initial}
    merged = {}
    for name, before in initial.items():
        after = [trained[task][name] for task in tasks]
        if not before.is_floating_point():
            merged[name] = first[name]
            continue
        mean = torch.stack([value.double() for value in after]).mean(0)
        if factor is not None and name not in averaged:
            mean = before.double() + factor * len(tasks) * (mean - before.double())
        merged[name] = mean.to(before.dtype)
    return merged


def _unit_by_name(units: Sequence[UnitModules], names: Collection[str]) -> dict[str, int | None]:
    """Return the unit of each weight and buffer; None for a buffer outside of all units."""
    unit_by_parameter = {
        name: index for index, unit in enumerate(units) for name in unit.parameters
    }
    unit_by_module = {path: index for index, unit in enumerate(units) for path in unit.modules}
    return {
        name: unit_by_parameter.get(name, _unit_of_buffer(name, unit_by_module)) for name in names
    }


def _unit_of_buffer(name: str, unit_by_module: Mapping[str, int]) -> int | None:
    """Return the unit of the innermost module that contains a buffer."""
    module = name
    while module:
        module = module.rpartition(".")[0]
        if module in unit_by_module:
            return unit_by_module[module]
    return None
