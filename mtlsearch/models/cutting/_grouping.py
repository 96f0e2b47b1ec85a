"""Cut points grouped into units: one group per stage or per block of the backbone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from mtlsearch.models.cutting._cut_points import CutPoint, cut_points_by_group, cut_points_by_tree
from mtlsearch.models.cutting._trace import Trace

MIN_UNITS = 4
"""A cut into fewer units leaves little to search, so a finer cut is tried first."""


def group_by_stage(model: nn.Module, trace: Trace) -> list[list[CutPoint]]:
    """Group the cut points of a model by stage.

    Args:
        model: the model.
        trace: its trace.

    Returns:
        The cut points of each unit, in depth order.
    """
    stages = _merge_interleaved(cut_points_by_group(model, trace, coarse=True))
    if len(stages) >= MIN_UNITS:
        return stages
    blocks = _merge_interleaved(cut_points_by_tree(model, trace))
    merged = _merge_same_shape(blocks)
    return max((merged if len(merged) >= MIN_UNITS else blocks), stages, key=len)


def group_by_block(model: nn.Module, trace: Trace) -> list[list[CutPoint]]:
    """Group the cut points of a model by block.

    Args:
        model: the model.
        trace: its trace.

    Returns:
        The cut points of each unit, in depth order.
    """
    fine = _merge_interleaved(cut_points_by_group(model, trace, coarse=False))
    coarse = _merge_interleaved(cut_points_by_group(model, trace, coarse=True))
    if len(fine) > max(len(coarse), MIN_UNITS - 1):
        return fine
    blocks = _merge_interleaved(cut_points_by_tree(model, trace))
    return max(fine, blocks, key=len)


def _merge_interleaved(cut_points: Sequence[CutPoint]) -> list[list[CutPoint]]:
    """Group cut points by key; merge keys whose cut points run alternately."""
    last_start: dict[int, int] = {}
    for point in cut_points:
        if point.key is not None:
            last_start[point.key] = max(last_start.get(point.key, 0), point.calls[-1].start)
    units: list[list[CutPoint]] = []
    until = -1
    for point in cut_points:
        starts_unit = point.key is not None and point.start > until
        if not units or (starts_unit and any(other.key is not None for other in units[-1])):
            units.append([])
        units[-1].append(point)
        if point.key is not None:
            until = max(until, last_start[point.key])
    return _merge_without_flops(units)


def _merge_without_flops(units: Sequence[list[CutPoint]]) -> list[list[CutPoint]]:
    """Merge a unit without FLOPs, such as a single normalization, into the unit before it."""
    merged: list[list[CutPoint]] = []
    for unit in units:
        if merged and not any(point.flops for point in unit):
            merged[-1] += unit
        else:
            merged.append(unit)
    return merged


def _merge_same_shape(units: Sequence[list[CutPoint]]) -> list[list[CutPoint]]:
    """Merge neighbors with outputs of the same shape into a stage; the stem stays a unit."""
    stages: list[list[CutPoint]] = []
    previous: object = None
    for unit in units:
        shapes = unit[-1].output_shapes
        if len(stages) > 1 and shapes == previous:
            stages[-1] += unit
        else:
            stages.append(list(unit))
        previous = shapes
    return stages
