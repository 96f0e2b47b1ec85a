"""Units of a backbone: which modules, parameters and FLOPs belong to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Literal

from torch import nn

from mtlsearch.errors import BackboneError
from mtlsearch.models.cutting._cut_points import CutPoint
from mtlsearch.models.cutting._grouping import group_by_block, group_by_stage
from mtlsearch.models.cutting._trace import Call, Trace

Granularity = Literal["stage", "block"] | int


@dataclass(frozen=True, slots=True)
class UnitModules:
    """The modules and parameters of one unit.

    Attributes:
        calls: the calls of its cut points, in order. Tasks that share the unit share the
            outputs of these calls.
        parameters: names of all parameters of the unit, in cut points or outside of them.
        modules: names of the modules that the unit calls, in order.
    """

    calls: tuple[Call, ...]
    parameters: tuple[str, ...]
    modules: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        modules = tuple(dict.fromkeys(call.path for call in self.calls))
        object.__setattr__(self, "modules", modules)

    @property
    def flops(self) -> int:
        """FLOPs of all calls, for one image."""
        return sum(call.flops for call in self.calls)


def find_unit_modules(
    model: nn.Module, trace: Trace, granularity: Granularity
) -> list[UnitModules]:
    """Cut a model into units.

    Args:
        model: the pruned model.
        trace: its trace.
        granularity: ``"stage"``, ``"block"``, or a number of units. For a number, neighboring
            blocks are merged so that the largest FLOPs of a unit are as small as possible.

    Returns:
        The units in depth order. Every parameter belongs to exactly one of them.

    Raises:
        BackboneError: the model has fewer blocks than the requested number of units.
    """
    if granularity == "stage":
        return _assign(group_by_stage(model, trace), model, trace)
    blocks = _assign(group_by_block(model, trace), model, trace)
    if granularity == "block":
        return blocks
    if not 1 <= granularity <= len(blocks):
        raise BackboneError(
            f"`granularity` is {granularity}, the backbone has {len(blocks)} blocks",
            where="granularity",
            allowed=["stage", "block", f"1 .. {len(blocks)}"],
            next_step='set granularity to "stage", "block" or a number in that range',
        )
    return merge_unit_modules(blocks, granularity)


def merge_unit_modules(units: Sequence[UnitModules], count: int) -> list[UnitModules]:
    """Merge neighboring units so that the largest FLOPs of a unit are as small as possible.

    Args:
        units: the units in depth order.
        count: number of units after merging, ``1 .. len(units)``.

    Returns:
        The merged units in depth order.
    """
    flops = [unit.flops for unit in units]
    if not any(flops):
        flops = [1] * len(units)
    bounds = [0, *_balanced_cuts(flops, count), len(units)]
    return [_concatenate(units[low:high]) for low, high in pairwise(bounds)]


def _assign(groups: Sequence[list[CutPoint]], model: nn.Module, trace: Trace) -> list[UnitModules]:
    """Assign every parameter and every call to a unit.

    A parameter belongs to the unit that runs when it is first used. An unused parameter
    belongs to the unit of the cut point that contains it.
    """
    starts = [group[0].start for group in groups]

    def unit_running_when(tick: int) -> int:
        return max(0, sum(start <= tick for start in starts) - 1)

    parameters: list[list[str]] = [[] for _ in groups]
    unit_by_path = {point.path: unit for unit, group in enumerate(groups) for point in group}
    for name, _ in model.named_parameters():
        tick = trace.first_use.get(name)
        unit = _unit_above(name, unit_by_path) if tick is None else unit_running_when(tick)
        parameters[unit].append(name)
    calls: list[list[Call]] = [[] for _ in groups]
    all_calls = (call for group in groups for point in group for call in point.calls)
    for call in sorted(all_calls, key=lambda call: call.start):
        calls[unit_running_when(call.start)].append(call)
    return [UnitModules(tuple(c), tuple(p)) for c, p in zip(calls, parameters, strict=True)]


def _unit_above(name: str, unit_by_path: Mapping[str, int]) -> int:
    """Return the unit of the cut point that contains a parameter, else the first unit."""
    parts = name.split(".")
    prefixes = accumulate(parts, lambda path, part: f"{path}.{part}")
    return next((unit_by_path[prefix] for prefix in prefixes if prefix in unit_by_path), 0)


def _concatenate(units: Sequence[UnitModules]) -> UnitModules:
    return UnitModules(
        calls=tuple(call for unit in units for call in unit.calls),
        parameters=tuple(name for unit in units for name in unit.parameters),
    )


def _balanced_cuts(weights: Sequence[int], count: int) -> list[int]:
    """Return where to cut a sequence into ``count`` parts so that the largest sum is minimal.

    Dynamic programming over prefixes: ``best[n]`` is the smallest possible largest sum for the
    first ``n`` weights, with the cuts that reach it.
    """
    sums = [0, *accumulate(weights)]
    best: dict[int, tuple[int, list[int]]] = {0: (0, [])}
    for parts in range(1, count + 1):
        best = {
            end: min(
                (max(best[cut][0], sums[end] - sums[cut]), [*best[cut][1], cut])
                for cut in best
                if cut < end
            )
            for end in range(parts, len(weights) - count + parts + 1)
        }
    return best[len(weights)][1][1:]
