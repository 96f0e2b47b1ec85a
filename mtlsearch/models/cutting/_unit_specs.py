"""Unit specifications: name, output channels, stride, parameters and FLOPs of every unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from mtlsearch.models.cutting._levels import stride_of
from mtlsearch.models.cutting._units import UnitModules
from mtlsearch.plan import UnitSpec

ChannelsAndStride = tuple[int, int]
"""Channels and stride of a feature map."""


def describe_units(
    model: nn.Module,
    units: Sequence[UnitModules],
    levels: Sequence[ChannelsAndStride],
    image_size: tuple[int, int],
    skippable: Sequence[bool],
) -> tuple[UnitSpec, ...]:
    """Describe the units of a model as values.

    Args:
        model: the pruned model.
        units: its units in depth order.
        levels: channels and stride of all feature maps that timm lists for the model.
        image_size: ``(height, width)`` in pixels.
        skippable: for every unit, whether a task can skip it.

    Returns:
        One specification per unit.
    """
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    specs = []
    output: ChannelsAndStride = (3, 1)
    for index, unit in enumerate(units):
        output = _output_of(unit, levels, image_size) or output
        specs.append(
            UnitSpec(
                index=index,
                name=_unit_name(unit, model),
                channels=output[0],
                stride=output[1],
                parameters=sum(sizes[name] for name in unit.parameters),
                flops=unit.flops,
                skippable=skippable[index],
            )
        )
    return tuple(specs)


def _output_of(
    unit: UnitModules, levels: Sequence[ChannelsAndStride], image_size: tuple[int, int]
) -> ChannelsAndStride | None:
    """Return channels and stride of a unit's output; None if no tensor is a feature map."""
    for call in reversed(unit.calls):
        for shape in call.output_shapes:
            candidates = _interpretations(shape, image_size)
            if candidates:
                return _matching_level(candidates, levels) or candidates[0]
    return None


def _matching_level(
    candidates: Sequence[ChannelsAndStride], levels: Sequence[ChannelsAndStride]
) -> ChannelsAndStride | None:
    """Return the first feature map that a candidate matches, up to rounding of the stride."""
    return next(
        (
            level
            for channels, stride in candidates
            for level in levels
            if level[0] == channels and max(level[1], stride) <= 1.3 * min(level[1], stride)
        ),
        None,
    )


def _interpretations(
    shape: tuple[int, ...], image_size: tuple[int, int]
) -> list[ChannelsAndStride]:
    """Return what the shape of a tensor can mean, the most likely first.

    Three dimensions are tokens, ``[1, N, C]`` or ``[1, C, N]``. Four are a feature map,
    ``[1, C, h, w]`` or ``[1, h, w, C]``.
    """
    if len(shape) == 3 and min(shape) > 0:
        tokens = [(shape[2], shape[1]), (shape[1], shape[2])]
        return [(channels, stride_of((count, 1), image_size)) for channels, count in tokens]
    if len(shape) != 4 or shape[0] != 1:
        return []
    maps = [(shape[1], (shape[2], shape[3])), (shape[3], (shape[1], shape[2]))]
    likely = [pair for pair in maps if _has_aspect(pair[1], image_size)] or maps[:1]
    return [(channels, stride_of(size, image_size)) for channels, size in likely]


def _has_aspect(size: tuple[int, int], image_size: tuple[int, int]) -> bool:
    """Return whether a size has about the aspect ratio of the image."""
    strides = [math.ceil(side / small) for side, small in zip(image_size, size, strict=True)]
    return max(strides) <= 1.5 * min(strides)


def _unit_name(unit: UnitModules, model: nn.Module) -> str:
    """Return ``layer2`` for a whole module, ``conv1..bn1`` for a sequence of modules."""
    paths = [path for path in unit.modules if _has_weights_of(path, unit)] or list(unit.modules)
    prefix = _common_prefix(paths)
    if len(paths) > 1 and prefix and _contain_weights_of(paths, prefix, model):
        return prefix
    return paths[0] if len(paths) == 1 else f"{paths[0]}..{paths[-1]}"


def _has_weights_of(path: str, unit: UnitModules) -> bool:
    return any(name.startswith(f"{path}.") for name in unit.parameters)


def _common_prefix(paths: Sequence[str]) -> str:
    """Return the longest module name with which all paths start."""
    shared = []
    for parts in zip(*(path.split(".") for path in paths), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _contain_weights_of(paths: Sequence[str], prefix: str, model: nn.Module) -> bool:
    """Return whether the modules ``paths`` contain all weights of the module ``prefix``."""
    names = (f"{prefix}.{name}" for name, _ in model.get_submodule(prefix).named_parameters())
    return all(any(name.startswith(f"{path}.") for path in paths) for name in names)
