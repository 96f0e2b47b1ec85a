"""Feature levels of a backbone: which of timm's feature maps heads get, and their strides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtlsearch.errors import BackboneError
from mtlsearch.plan import FeatureLevel, FeatureSpec

_MIN_STRIDE = 4  # finer levels cost a head much and improve it little
_MAX_CROP = 3  # pixels that unpadded convolutions, as in Inception, remove at each side
_NUM_PLAIN_LEVELS = 4  # of a backbone with a single stride, as in ViTDet and DPT


def compute_levels(
    model: nn.Module, images: Tensor, out_indices: Sequence[int] | None = None
) -> list[Tensor]:
    """Run a timm model and return its feature levels.

    Args:
        model: a timm model with ``forward_intermediates``.
        images: float ``[B, C, H, W]``.
        out_indices: indices of timm's feature maps; all of them by default.

    Returns:
        One tensor ``[B, C, h, w]`` per index, channels first.
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
    """Check that a model can return its feature maps.

    Args:
        name: timm's name of the model, for the message.
        model: the model.

    Raises:
        BackboneError: the model has no ``forward_intermediates``.
    """
    if not hasattr(model, "forward_intermediates"):
        raise BackboneError(
            f"backbone {name!r} does not return feature maps (no `forward_intermediates`)",
            next_step="choose another backbone: `mtlsearch list backbones` lists all names",
        )


def choose_out_indices(
    levels: Sequence[Tensor], image_size: tuple[int, int], model: nn.Module
) -> list[int]:
    """Choose the feature maps that heads get.

    These are the last feature map of every stride from 4. A backbone with a single stride, such
    as a plain vision transformer, gives four evenly spaced feature maps.

    Args:
        levels: all feature maps of the model, ``[1, C, h, w]`` each.
        image_size: ``(height, width)`` of the image in pixels.
        model: the timm model.

    Returns:
        The chosen indices, sorted.
    """
    strides = level_strides(levels, image_size, model)
    last_by_stride = {stride: index for index, stride in enumerate(strides)}
    if len(last_by_stride) > 1:
        coarse = [index for stride, index in last_by_stride.items() if stride >= _MIN_STRIDE]
        return sorted(coarse or last_by_stride.values())
    spaced = (
        max(0, round((part + 1) * len(levels) / _NUM_PLAIN_LEVELS) - 1)
        for part in range(_NUM_PLAIN_LEVELS)
    )
    return sorted(set(spaced))


def level_strides(
    levels: Sequence[Tensor], image_size: tuple[int, int], model: nn.Module
) -> list[int]:
    """Return the stride of every feature map.

    The stride is timm's ``reduction`` where the size of the feature map agrees with it, else
    it is computed from that size.

    Args:
        levels: all feature maps of the model, ``[1, C, h, w]`` each.
        image_size: ``(height, width)`` of the image in pixels.
        model: the timm model.

    Returns:
        Image pixels per pixel of each feature map.
    """
    reductions = [int(info["reduction"]) for info in getattr(model, "feature_info", ())]
    strides = []
    for index, level in enumerate(levels):
        stride = stride_of((int(level.shape[-2]), int(level.shape[-1])), image_size)
        if len(reductions) == len(levels) and _agrees(reductions[index], level, image_size):
            stride = reductions[index]
        strides.append(stride)
    return strides


def stride_of(size: tuple[int, int], image_size: tuple[int, int]) -> int:
    """Return the image pixels per pixel of a feature map, rounded.

    Args:
        size: ``(height, width)`` of the feature map.
        image_size: ``(height, width)`` of the image in pixels.
    """
    num_pixels = image_size[0] * image_size[1]
    return max(1, round(float((num_pixels / (size[0] * size[1])) ** 0.5)))


def feature_spec(
    levels: Sequence[Tensor], image_size: tuple[int, int], strides: Sequence[int]
) -> FeatureSpec:
    """Describe feature levels as values.

    Args:
        levels: the feature levels, ``[1, C, h, w]`` each.
        image_size: ``(height, width)`` of the image in pixels.
        strides: the stride of each level.

    Returns:
        Channels, strides and sizes of the levels.
    """
    return FeatureSpec(
        levels=tuple(
            FeatureLevel(int(level.shape[1]), stride)
            for level, stride in zip(levels, strides, strict=True)
        ),
        image_size=image_size,
        shapes=tuple((int(level.shape[-2]), int(level.shape[-1])) for level in levels),
    )


def _agrees(stride: int, level: Tensor, image_size: tuple[int, int]) -> bool:
    """Return whether a feature map has the size of its stride, up to removed border pixels."""
    sizes: torch.Size = level.shape[-2:]
    return all(
        abs(side / stride - size) <= _MAX_CROP for side, size in zip(image_size, sizes, strict=True)
    )
