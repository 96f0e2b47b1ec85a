"""The blocks of light heads."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
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
        maps = _bilinear(maps, step)
    return maps


def _bilinear(maps: Tensor, size: tuple[int, int]) -> Tensor:
    repeatable = maps.is_cuda and torch.are_deterministic_algorithms_enabled()
    if repeatable and not torch.compiler.is_compiling():
        # Torch's own is made of dozens of kernels then, and sorts every pixel on its way back.
        return _by_products(maps, size)
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _by_products(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """The same as a product with a matrix from the left and one from the right."""
    down, across = (
        _weights(have, want, maps.device, maps.dtype)
        for have, want in zip(maps.shape[-2:], size, strict=True)
    )
    return down @ maps @ across.T


@lru_cache(maxsize=64)
def _weights(have: int, want: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """What each of ``want`` pixels takes of each of ``have``: ``[want, have]``."""
    with torch.inference_mode(False), torch.no_grad():
        unit = torch.eye(have).T[None]  # a channel a pixel
        rows = F.interpolate(unit, size=want, mode="linear", align_corners=False)[0]
        return rows.T.contiguous().to(device, dtype)
