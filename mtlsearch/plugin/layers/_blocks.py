"""The blocks of light heads."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F


def conv_block(channels_in: int, channels_out: int, kernel_size: int = 3) -> nn.Sequential:
    """Convolution, GroupNorm, SiLU; ``[B, channels_in, H, W]`` to ``[B, channels_out, H, W]``.

    GroupNorm, since batches are small and hold only the samples that carry a label.
    """
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size, padding=kernel_size // 2, bias=False),
        nn.GroupNorm(math.gcd(channels_out, 8), channels_out),
        nn.SiLU(),
    )


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear, to ``[B, C, *size]``; halves step by step, so that no pixel is passed over."""
    while (at := (int(maps.shape[-2]), int(maps.shape[-1]))) != size:
        step = (max(size[0], -(-at[0] // 2)), max(size[1], -(-at[1] // 2)))
        maps = F.interpolate(maps, size=step, mode="bilinear", align_corners=False)
    return maps
