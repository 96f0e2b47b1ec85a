"""Proof, on the model itself, that sharing changes nothing but the work done."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlsearch.errors import BackboneError
from mtlsearch.models.cutting import UnitModules, run_levels
from mtlsearch.models.sharing._shared_backbones import SharedBackbones
from mtlsearch.plan import SharingPlan

_POOL = 65_537  # a prime, so that rows of a weight do not get the same noise
_TASKS = ("first", "second", "third")


def check_sharing(
    name: str,
    template: nn.Module,
    pieces: Sequence[UnitModules],
    out_indices: Sequence[int],
    image_size: tuple[int, int],
    skippable: Sequence[bool],
) -> None:
    """Build a plan with all that plans may have, disturb it, and compare with whole runs.

    Raises:
        BackboneError: a task's features depend on whether the other tasks run with it.
    """
    plan = demanding_plan(len(pieces), [at for at, may in enumerate(skippable) if may])
    tied = SharedBackbones(template, pieces, out_indices, plan).eval()
    generator = torch.Generator().manual_seed(0)
    _disturb(tied, generator)
    images = torch.randn(1, 3, *image_size, generator=generator)
    with torch.no_grad():
        together = tied(images)
        alone = {
            task: run_levels(tied.task_model(task), images, out_indices) for task in plan.tasks
        }
    for task in plan.tasks:
        if not all(map(_same, together[task], alone[task])):
            raise BackboneError(
                f"{name!r} cannot be cut: a task's features change when others share its units",
                next_step="choose another backbone, or a coarser granularity",
            )


def demanding_plan(units: int, skippable: Sequence[int]) -> SharingPlan:
    """One in which tasks share, part, come together again and pass by a unit.

    Args:
        units: how many the backbone has.
        skippable: the numbers of those that may be passed by.
    """
    first, second, third = ([task] for task in _TASKS)
    parts, joins = max(1, units // 3), max(1, 2 * units // 3)
    together, apart = [_TASKS], [first, [*second, *third]]
    again = [[*first, *third], second]
    plan = SharingPlan.from_groups(
        together if unit < parts else apart if unit < joins else again for unit in range(units)
    )
    return plan.with_skips(dict.fromkeys(skippable[len(skippable) // 2 :][:1], second))


def _disturb(tied: SharedBackbones, generator: torch.Generator) -> None:
    """Noise on every parameter, so that no two copies of a unit are alike.

    It is drawn once and laid over each parameter from another place on: quick, even for
    large models.
    """
    pool = torch.randn(_POOL, generator=generator)
    with torch.no_grad():
        for number, parameter in enumerate(tied.parameters()):
            size = parameter.numel()
            noise = pool.roll(number).repeat(-(-size // _POOL))[:size]
            parameter.add_(noise.view_as(parameter), alpha=0.02)


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.nan_to_num(), other.nan_to_num())
