"""Color jitter of a whole batch, with factors and an order per image."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

CONTRAST, SATURATION = 1, 2
"""Columns of the factors; column 0 is brightness."""


def color_jitter(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Change brightness, contrast and saturation as torchvision's ``adjust_...`` functions do.

    Each of the three blends the image with another one: with black, with its mean gray level,
    or with its grayscale version. One formula therefore covers images with different orders.

    Args:
        images: float ``[B, 3, H, W]`` in 0..1.
        factors: float ``[B, 3]``, weight of the image in each blend.
        order: int64 ``[B, 3]``, column of the first, second and last operation.

    Returns:
        float ``[B, 3, H, W]`` in 0..1.
    """
    for step in range(3):
        column = order[:, step, None]
        gray = functional.rgb_to_grayscale(images)
        mean = gray.mean((1, 2, 3), keepdim=True)
        blend = gray * _per_image(column == SATURATION) + mean * _per_image(column == CONTRAST)
        images = torch.lerp(blend, images, _per_image(factors.gather(1, column))).clamp_(0, 1)
    return images


def _per_image(column: Tensor) -> Tensor:
    """Return ``[B, 1]`` as float ``[B, 1, 1, 1]``."""
    return column.float()[:, :, None, None]
