"""The feature levels of a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtlsearch.errors import BackboneError
from mtlsearch.plan import FeatureLevel, FeatureSpec

_FINEST = 4  # finer levels cost a head more than they tell it
_CUT_OFF = 3  # pixels of a level that inception lacks at each side
_PLAIN = 4  # levels taken of a backbone that keeps one stride, as ViTDet and DPT do


def run_levels(
    model: nn.Module, images: Tensor, out_indices: Sequence[int] | None = None
) -> list[Tensor]:
    """The model's own feature maps, channels first.

    Args:
        model: a timm model.
        images: ``[B, 3, H, W]``.
        taps: which of timm's intermediate features; all of them by default.

    Returns:
        One ``[B, C, h, w]`` a tap.
    """
    forward: Any = model.forward_intermediates
    levels = forward(
        images,
        indices=None if out_indices is None else list(out_indices),
        norm=False,
        stop_early=True,
        output_fmt="NCHW",
        intermediates_only=True,
    )
    return list(levels)


def check_levels(name: str, model: nn.Module) -> None:
    """Raise a :class:`BackboneError` for a model that cannot give its feature maps."""
    if not hasattr(model, "forward_intermediates"):
        raise BackboneError(
            f"{name!r} gives no feature maps (timm's forward_intermediates)",
            next_step="`mtlsearch backbones` lists the backbones that can be cut",
        )


def choose_out_indices(
    levels: Sequence[Tensor], image_size: tuple[int, int], model: nn.Module
) -> list[int]:
    """The last level of every stride from 4 on, or four spread evenly where there is but one."""
    strides = level_strides(levels, image_size, model)
    last = {stride: tap for tap, stride in enumerate(strides)}
    if len(last) > 1:
        coarse = [tap for stride, tap in last.items() if stride >= _FINEST]
        return sorted(coarse or last.values())
    count = len(levels)
    return sorted({max(0, round((part + 1) * count / _PLAIN) - 1) for part in range(_PLAIN)})


def level_strides(
    levels: Sequence[Tensor], image_size: tuple[int, int], model: nn.Module
) -> list[int]:
    """Image pixels per pixel of each level: timm's word where it agrees with what is seen."""
    told = [int(info["reduction"]) for info in getattr(model, "feature_info", ())]
    found = []
    for tap, level in enumerate(levels):
        seen = stride_of((int(level.shape[-2]), int(level.shape[-1])), image_size)
        if len(told) == len(levels) and _agrees(told[tap], level, image_size):
            seen = told[tap]
        found.append(seen)
    return found


def stride_of(shape: tuple[int, int], image_size: tuple[int, int]) -> int:
    """Image pixels per pixel of a map of ``(height, width)``, to the nearest whole number."""
    pixels = image_size[0] * image_size[1]
    return max(1, round(float((pixels / (shape[0] * shape[1])) ** 0.5)))


def feature_spec(
    levels: Sequence[Tensor], image_size: tuple[int, int], strides: Sequence[int]
) -> FeatureSpec:
    """The levels as values."""
    return FeatureSpec(
        levels=tuple(
            FeatureLevel(int(level.shape[1]), stride)
            for level, stride in zip(levels, strides, strict=True)
        ),
        image_size=image_size,
        shapes=tuple((int(level.shape[-2]), int(level.shape[-1])) for level in levels),
    )


def _agrees(stride: int, level: Tensor, image_size: tuple[int, int]) -> bool:
    """Whether a map has the size its stride makes, but for what unpadded convolutions cut off."""
    sizes: torch.Size = level.shape[-2:]
    return all(
        abs(side / stride - size) <= _CUT_OFF for side, size in zip(image_size, sizes, strict=True)
    )
