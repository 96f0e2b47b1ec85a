"""Verification of a cut backbone: sharing must not change the features of any task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlsearch.errors import BackboneError
from mtlsearch.models.cutting import UnitModules, compute_levels
from mtlsearch.models.sharing._shared_backbones import SharedBackbones
from mtlsearch.plan import SharingPlan

_NOISE_SIZE = 65_537  # a prime, so that the rows of a weight get different noise
_TASKS = ("first", "second", "third")


def verify_sharing(
    name: str,
    template: nn.Module,
    units: Sequence[UnitModules],
    out_indices: Sequence[int],
    image_size: tuple[int, int],
    skippable: Sequence[bool],
    channels: int = 3,
) -> None:
    """Verify on one plan that features with sharing equal those of each task model alone.

    Args:
        name: timm's name of the model, for the message.
        template: the pruned backbone; it does not change.
        units: its units in depth order.
        out_indices: indices of the feature levels.
        image_size: ``(height, width)`` in pixels.
        skippable: for every unit, whether a task can skip it.
        channels: number of channels of the images.

    Raises:
        BackboneError: the features of a task depend on the other tasks.
    """
    plan = verification_plan(len(units), [unit for unit, flag in enumerate(skippable) if flag])
    backbones = SharedBackbones(template, units, out_indices, plan).eval()
    generator = torch.Generator().manual_seed(0)
    _add_noise(backbones, generator)
    images = torch.randn(1, channels, *image_size, generator=generator)
    with torch.no_grad():
        shared = backbones(images)
        alone = {
            task: compute_levels(backbones.task_model(task), images, out_indices)
            for task in plan.tasks
        }
    for task in plan.tasks:
        if not all(map(_is_equal, shared[task], alone[task])):
            raise BackboneError(
                f"backbone {name!r} cannot be cut: sharing a unit changes a task's features",
                next_step="choose another backbone or a coarser granularity",
            )


def verification_plan(num_units: int, skippable: Sequence[int]) -> SharingPlan:
    """Return a plan in which tasks share, separate, share again and skip a unit.

    Args:
        num_units: number of units of the backbone.
        skippable: indices of the units that a task can skip.

    Returns:
        A plan for three tasks.
    """
    first, second, third = ([task] for task in _TASKS)
    separate_from, rejoin_from = max(1, num_units // 3), max(1, 2 * num_units // 3)
    hard, separate = [_TASKS], [first, [*second, *third]]
    rejoined = [[*first, *third], second]
    plan = SharingPlan.from_groups(
        hard if unit < separate_from else separate if unit < rejoin_from else rejoined
        for unit in range(num_units)
    )
    return plan.with_skips(dict.fromkeys(skippable[len(skippable) // 2 :][:1], second))


def _add_noise(backbones: SharedBackbones, generator: torch.Generator) -> None:
    """Add noise to all parameters, so that two copies of a unit differ.

    The noise is drawn once, and each parameter starts at another offset in it. This is fast
    for large models too.
    """
    pool = torch.randn(_NOISE_SIZE, generator=generator)
    with torch.no_grad():
        for offset, parameter in enumerate(backbones.parameters()):
            size = parameter.numel()
            noise = pool.roll(offset).repeat(-(-size // _NOISE_SIZE))[:size]
            parameter.add_(noise.view_as(parameter), alpha=0.02)


def _is_equal(first: Tensor, second: Tensor) -> bool:
    return torch.equal(first.nan_to_num(), second.nan_to_num())
