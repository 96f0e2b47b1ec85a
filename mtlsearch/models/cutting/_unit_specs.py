"""Units as values: name, output, size and work."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from mtlsearch.models.cutting._levels import stride_of
from mtlsearch.models.cutting._units import UnitModules
from mtlsearch.plan import UnitSpec

Level = tuple[int, int]
"""Channels and stride of a feature map."""


def describe(
    model: nn.Module,
    pieces: Sequence[UnitModules],
    levels: Sequence[Level],
    image_size: tuple[int, int],
    skippable: Sequence[bool],
) -> tuple[UnitSpec, ...]:
    """The pieces of a model as unit specifications.

    Args:
        model: the pruned model.
        pieces: its units.
        levels: channels and stride of every feature map that timm gives of it.
        image_size: ``(height, width)`` in pixels.
        skippable: for every unit, whether a task may pass by it.
    """
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    specs = []
    before: Level = (3, 1)
    for index, piece in enumerate(pieces):
        before = _output(piece, levels, image_size) or before
        specs.append(
            UnitSpec(
                index=index,
                name=_name(piece, model),
                channels=before[0],
                stride=before[1],
                parameters=sum(sizes[name] for name in piece.parameters),
                flops=piece.flops,
                skippable=skippable[index],
            )
        )
    return tuple(specs)


def _output(
    piece: UnitModules, levels: Sequence[Level], image_size: tuple[int, int]
) -> Level | None:
    """Channels and stride of what the piece hands on, as far as its tensors tell."""
    for call in reversed(piece.calls):
        for shape in call.shapes:
            readings = _readings(shape, image_size)
            if readings:
                return _nearest_level(readings, levels) or readings[0]
    return None


def _nearest_level(readings: Sequence[Level], levels: Sequence[Level]) -> Level | None:
    """A feature map that a reading agrees with but for rounding of the stride."""
    return next(
        (
            level
            for channels, stride in readings
            for level in levels
            if level[0] == channels and max(level[1], stride) <= 1.3 * min(level[1], stride)
        ),
        None,
    )


def _readings(shape: tuple[int, ...], image_size: tuple[int, int]) -> list[Level]:
    """What a tensor's shape may mean, the likeliest first."""
    if len(shape) == 3 and min(shape) > 0:
        tokens = [(shape[2], shape[1]), (shape[1], shape[2])]
        return [(channels, stride_of((count, 1), image_size)) for channels, count in tokens]
    if len(shape) != 4 or shape[0] != 1:
        return []
    maps = [(shape[1], (shape[2], shape[3])), (shape[3], (shape[1], shape[2]))]
    likely = [each for each in maps if _has_aspect(each[1], image_size)] or maps[:1]
    return [(channels, stride_of(size, image_size)) for channels, size in likely]


def _has_aspect(size: tuple[int, int], image_size: tuple[int, int]) -> bool:
    """Whether both sides are the image's divided by about the same number."""
    strides = [math.ceil(side / small) for side, small in zip(image_size, size, strict=True)]
    return max(strides) <= 1.5 * min(strides)


def _name(piece: UnitModules, model: nn.Module) -> str:
    """``layer2`` for a whole module, ``conv1..bn1`` for a run of them."""
    owners = [path for path in piece.modules if _owns(path, piece)]
    paths = owners or list(piece.modules)
    whole = _common(paths)
    if len(paths) > 1 and whole and _covers(model, whole, paths):
        return whole
    return paths[0] if len(paths) == 1 else f"{paths[0]}..{paths[-1]}"


def _owns(path: str, piece: UnitModules) -> bool:
    return any(name.startswith(f"{path}.") for name in piece.parameters)


def _common(paths: Sequence[str]) -> str:
    """The longest module name that all paths begin with."""
    shared = []
    for parts in zip(*(path.split(".") for path in paths), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _covers(model: nn.Module, whole: str, paths: Sequence[str]) -> bool:
    """Whether the paths hold all weights of the module ``whole``."""
    names = (f"{whole}.{name}" for name, _ in model.get_submodule(whole).named_parameters())
    return all(any(name.startswith(f"{path}.") for path in paths) for name in names)
