"""Grid of points from which boxes are predicted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BASE_SIZE = 4.0
"""Side of the box of an untrained point, in strides."""

MAX_RAW = 6.0
"""Limit of offsets and log-sizes; ``4 * exp(6)`` strides exceed any image."""


def make_grid(sizes: Sequence[tuple[int, int]], strides: Sequence[int]) -> Tensor:
    """Return center and stride of every cell of every map, in pixels: float32 ``[N, 3]``."""
    parts = []
    for (height, width), stride in zip(sizes, strides, strict=True):
        y, x = torch.meshgrid(
            (torch.arange(height) + 0.5) * stride,
            (torch.arange(width) + 0.5) * stride,
            indexing="ij",
        )
        parts.append(torch.stack([x, y, torch.full_like(x, stride)], dim=-1).reshape(-1, 3))
    return torch.cat(parts)


def to_boxes(raw: Tensor, grid: Tensor) -> Tensor:
    """Return boxes from center offsets and log-sizes (Ge et al. 2021, "YOLOX").

    The center of a box can lie outside the cell of its point, so that boxes smaller than a cell
    can be predicted.

    Args:
        raw: ``[..., N, 4]``: x and y offset in strides, log width, log height.
        grid: points and their strides, ``[..., N, 3]``.

    Returns:
        Boxes, float32 ``[..., N, 4]``, xyxy in pixels.
    """
    raw, grid = raw.float().clamp(-MAX_RAW, MAX_RAW), grid.float()
    stride = grid[..., 2:]
    middle = grid[..., :2] + raw[..., :2] * stride
    half = raw[..., 2:].exp() * stride * (BASE_SIZE / 2)
    return torch.cat([middle - half, middle + half], dim=-1)
