"""Skippable units: units that can be replaced by an identity for a task."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from mtlsearch.models.cutting._dry_run import dry_run
from mtlsearch.models.cutting._levels import compute_levels
from mtlsearch.models.cutting._trace import Call, Trace
from mtlsearch.models.cutting._units import UnitModules


class SkipUnit(nn.Module):
    """Identity in place of a module that a task skips; it returns its first argument.

    Args:
        detach: whether to stop gradients here.
    """

    def __init__(self, *, detach: bool = False) -> None:
        super().__init__()
        self.detach = detach

    def forward(self, features: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Return the features unchanged.

        Args:
            features: the input of the module that is skipped.
            args: its other arguments, ignored.
            kwargs: its keyword arguments, ignored.

        Returns:
            ``features``, detached if the module detaches.
        """
        return features.detach() if self.detach else features


def find_skippable(
    model: nn.Module,
    units: Sequence[UnitModules],
    trace: Trace,
    image_size: tuple[int, int],
    out_indices: Sequence[int],
    channels: int = 3,
) -> list[bool]:
    """Determine which units a task can skip.

    A unit is skippable if it is a chain of modules: each takes the output of the module before
    it and keeps its shape, and the next unit takes the output of the last one. The unit must
    also own exactly the weights of its modules. The model then runs once without all these
    units; if that fails, no unit is skippable.

    Args:
        model: the pruned model.
        units: its units in depth order.
        trace: its trace.
        image_size: ``(height, width)`` in pixels.
        out_indices: indices of the feature levels.
        channels: number of channels of the images.

    Returns:
        One flag per unit.
    """
    next_units = [*units[1:], None]
    is_skippable = [
        _is_chain(unit.calls)
        and (follower is None or follower.calls[0].input_id == unit.calls[-1].output_id)
        and _is_self_contained(model, unit, units)
        for unit, follower in zip(units, next_units, strict=True)
    ]
    if not any(is_skippable):
        return is_skippable
    runs, last_is_only_path = _run_without(
        model, units, is_skippable, trace, image_size, out_indices, channels
    )
    is_skippable[-1] &= last_is_only_path
    return [runs and flag for flag in is_skippable]


def _is_chain(calls: Sequence[Call]) -> bool:
    """Return whether each call keeps its input's shape and feeds exactly the next call."""
    return all(call.keeps_shape and not call.is_modified for call in calls) and all(
        second.input_id == first.output_id for first, second in pairwise(calls)
    )


def _is_self_contained(model: nn.Module, unit: UnitModules, units: Sequence[UnitModules]) -> bool:
    """Return whether a unit's modules run in no other unit and hold exactly its weights."""
    if any(set(unit.modules) & set(other.modules) for other in units if other is not unit):
        return False
    unit_ids = {id(model.get_parameter(name)) for name in unit.parameters}
    inside: set[int] = set()
    outside: set[int] = set()
    for name, parameter in model.named_parameters(remove_duplicate=False):
        (inside if _is_below(name, unit.modules) else outside).add(id(parameter))
    return inside == unit_ids and not unit_ids & outside


def _is_below(name: str, paths: Collection[str]) -> bool:
    return any(name.startswith(f"{path}.") for path in paths)


def _run_without(
    model: nn.Module,
    units: Sequence[UnitModules],
    is_skipped: Sequence[bool],
    trace: Trace,
    image_size: tuple[int, int],
    out_indices: Sequence[int],
    channels: int,
) -> tuple[bool, bool]:
    """Run the model with identities in place of some units.

    Returns:
        Whether it runs and its levels keep their shapes, and whether the last level depends on
        the image only through the last unit's output.
    """

    def run(twin: nn.Module, image: Tensor) -> list[Tensor]:
        for unit, skip in zip(units, is_skipped, strict=True):
            for path in unit.modules if skip else ():
                # Without gradients from the last unit, only other paths give the level one.
                detach = unit is units[-1] and path == unit.calls[-1].path
                twin.set_submodule(path, SkipUnit(detach=detach))
        with torch.enable_grad():
            return compute_levels(twin, image.requires_grad_().clone(), out_indices)

    try:
        levels = dry_run(model, image_size, run, channels)
    except (RuntimeError, AttributeError, TypeError, ValueError, IndexError, AssertionError):
        return False, False  # an outer module reads attributes of the units
    shapes = [level.shape for level in levels]
    return shapes == [level.shape for level in trace.levels], not levels[-1].requires_grad
