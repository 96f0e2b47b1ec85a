"""Colour jitter of a whole batch, every image by factors and an order of its own."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

CONTRAST, SATURATION = 1, 2
"""Columns of the factors; brightness is the first."""


def color_jitter(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Brightness, contrast and saturation as torchvision's ``adjust_...`` change them.

    Each of the three blends an image with another one: with black, with its mean grey, with
    itself in grey. So one formula does for a batch in which each image has its own order.

    Args:
        images: float ``[B, 3, H, W]`` in 0..1.
        factors: float ``[B, 3]``, how much of the image itself is in the blend.
        order: int64 ``[B, 3]``, which of the three comes first, second and last.
    """
    for turn in range(3):
        which = order[:, turn, None]
        grey = functional.rgb_to_grayscale(images)
        mean = grey.mean((1, 2, 3), keepdim=True)
        other = grey * _each(which == SATURATION) + mean * _each(which == CONTRAST)
        images = torch.lerp(other, images, _each(factors.gather(1, which))).clamp_(0, 1)
    return images


def _each(column: Tensor) -> Tensor:
    """``[B, 1]`` as float numbers that multiply images."""
    return column.float()[:, :, None, None]
