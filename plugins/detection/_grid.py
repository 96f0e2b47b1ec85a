"""The points that boxes are read from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BASE = 4.0
"""Sides of the box that a point stands for before it has learned anything, in strides."""

MOST = 6.0
"""Offsets and log-sizes are kept within this; ``4 * exp(6)`` strides exceed any image."""


def make_grid(sizes: Sequence[tuple[int, int]], strides: Sequence[int]) -> Tensor:
    """Middle of every cell of every map and its stride, in pixels: float32 ``[N, 3]``."""
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
    """Boxes from middles (in strides, from the point) and log-sizes (Ge et al. 2021, YOLOX).

    A box's middle may lie beside its point, so boxes smaller than a cell can be met.

    Args:
        raw: ``[..., N, 4]``: x, y, log width, log height.
        grid: ``[..., N, 3]``.

    Returns:
        float32 ``[..., N, 4]``, xyxy in pixels.
    """
    raw, grid = raw.float().clamp(-MOST, MOST), grid.float()
    stride = grid[..., 2:]
    middle = grid[..., :2] + raw[..., :2] * stride
    half = raw[..., 2:].exp() * stride * (BASE / 2)
    return torch.cat([middle - half, middle + half], dim=-1)
