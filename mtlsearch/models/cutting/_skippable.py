"""Which units a task may pass by, and what stands in their place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from mtlsearch.models.cutting._levels import run_levels
from mtlsearch.models.cutting._trace import Call, Trace, dry_run
from mtlsearch.models.cutting._units import UnitModules


class SkipUnit(nn.Module):
    """Hands on what it is given first, whatever else comes with it.

    Args:
        severs: whether gradients end here.
    """

    def __init__(self, *, severs: bool = False) -> None:
        super().__init__()
        self.severs = severs

    def forward(self, given: Tensor, *rest: Any, **options: Any) -> Tensor:
        """``given`` itself."""
        return given.detach() if self.severs else given


def find_skippable(
    model: nn.Module,
    pieces: Sequence[UnitModules],
    seen: Trace,
    image_size: tuple[int, int],
    out_indices: Sequence[int],
) -> list[bool]:
    """For every unit, whether a task may pass by it.

    That is so where all its slots take one tensor and return one of the same shape, each the
    one before's and the next unit the last one's: then nothing but these slots stands between
    what the unit takes and what it gives. A unit that owns weights outside of its slots, or
    has some in common with another, stays.

    Args:
        model: the pruned model.
        pieces: its units.
        seen: its dry run.
        image_size: ``(height, width)`` in pixels.
        taps: which of timm's intermediate features are the levels.
    """
    followers = [*pieces[1:], None]
    found = [
        _is_chain(piece.calls)
        and (after is None or after.calls[0].given == piece.calls[-1].returned)
        and _keeps_to_itself(model, piece, pieces)
        for piece, after in zip(pieces, followers, strict=True)
    ]
    if not any(found):
        return found
    runs, severed = _try_without(model, pieces, found, seen, image_size, out_indices)
    found[-1] &= severed
    return [runs and each for each in found]


def _is_chain(calls: Sequence[Call]) -> bool:
    """Whether each call keeps its input's shape and the next one takes just what it gives."""
    return all(call.keeps_shape and not call.rewritten for call in calls) and all(
        below.given == above.returned for above, below in pairwise(calls)
    )


def _keeps_to_itself(model: nn.Module, piece: UnitModules, pieces: Sequence[UnitModules]) -> bool:
    """Whether its slots run in no other unit and hold its weights, all of them and no others."""
    if any(set(piece.modules) & set(other.modules) for other in pieces if other is not piece):
        return False
    own = {id(model.get_parameter(name)) for name in piece.parameters}
    inside: dict[bool, set[int]] = {True: set(), False: set()}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        inside[_lies_below(name, piece.modules)].add(id(parameter))
    return inside[True] == own and not own & inside[False]


def _lies_below(name: str, paths: Collection[str]) -> bool:
    return any(name.startswith(f"{path}.") for path in paths)


def _try_without(
    model: nn.Module,
    pieces: Sequence[UnitModules],
    chosen: Sequence[bool],
    seen: Trace,
    image_size: tuple[int, int],
    out_indices: Sequence[int],
) -> tuple[bool, bool]:
    """Run the model without the chosen units.

    Returns:
        Whether it runs and gives levels of the same shapes, and whether the last level comes
        from the image by way of the last unit's output alone.
    """

    def look(twin: nn.Module, image: Tensor) -> list[Tensor]:
        for piece, without in zip(pieces, chosen, strict=True):
            for path in piece.modules if without else ():
                severs = piece is pieces[-1] and path == piece.calls[-1].path
                twin.set_submodule(path, SkipUnit(severs=severs))
        with torch.enable_grad():
            return run_levels(twin, image.requires_grad_().clone(), out_indices)

    try:
        levels = dry_run(model, image_size, look)
    except (RuntimeError, AttributeError, TypeError, ValueError, IndexError, AssertionError):
        return False, False  # what strings the units together looks into them
    shapes = [level.shape for level in levels]
    return shapes == [level.shape for level in seen.levels], not levels[-1].requires_grad
