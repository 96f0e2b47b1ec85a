"""Building blocks of heads."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv_block(channels_in: int, channels_out: int, kernel_size: int = 3) -> nn.Sequential:
    """Return a convolution, GroupNorm and SiLU, which keep the size of a map.

    GroupNorm does not depend on the batch size, which is small if few samples have a label. A map
    of one pixel whose groups have one channel each is normalized as one group.

    Args:
        channels_in: channels of the input ``[B, channels_in, H, W]``.
        channels_out: channels of the output ``[B, channels_out, H, W]``.
        kernel_size: odd side of the kernel in pixels.

    Returns:
        The three modules.
    """
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel_size, padding=kernel_size // 2, bias=False),
        _MapNorm(math.gcd(channels_out, 8), channels_out),
        nn.SiLU(),
    )


class _MapNorm(nn.GroupNorm):
    """GroupNorm that also normalizes maps of one pixel.

    A group of one value has no variance: its result would be 0, whatever the input, and PyTorch
    raises an error for one image. Scale and shift are per channel, so the number of groups may
    depend on the size of the map. A single channel of one pixel is only scaled and shifted.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return the normalized maps ``[B, C, H, W]``."""
        if self.num_groups < self.num_channels or maps.shape[-2] * maps.shape[-1] > 1:
            return super().forward(maps)
        if self.num_channels == 1:
            return maps * self.weight[:, None, None] + self.bias[:, None, None]
        return F.group_norm(maps, 1, self.weight, self.bias, self.eps)


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps bilinearly, at most halving the size per step, so that no pixel is ignored.

    Args:
        maps: ``[B, C, H, W]``, float.
        size: ``(height, width)`` of the result in pixels.

    Returns:
        ``[B, C, *size]``.
    """
    while (current := (int(maps.shape[-2]), int(maps.shape[-1]))) != size:
        step = (max(size[0], -(-current[0] // 2)), max(size[1], -(-current[1] // 2)))
        maps = _bilinear(maps, step)
    return maps


def _bilinear(maps: Tensor, size: tuple[int, int]) -> Tensor:
    is_deterministic = maps.is_cuda and torch.are_deterministic_algorithms_enabled()
    if is_deterministic and not torch.compiler.is_compiling():
        # Torch's deterministic version runs dozens of kernels, and its backward pass sorts.
        return _by_products(maps, size)
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _by_products(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize by one matrix product per axis."""
    down, across = (
        _weights(length, new_length, maps.device, maps.dtype)
        for length, new_length in zip(maps.shape[-2:], size, strict=True)
    )
    return down @ maps @ across.T


@lru_cache(maxsize=64)
def _weights(length: int, new_length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the interpolation matrix ``[new_length, length]`` of one axis."""
    with torch.inference_mode(False), torch.no_grad():
        unit = torch.eye(length).T[None]  # one channel per pixel
        rows = F.interpolate(unit, size=new_length, mode="linear", align_corners=False)[0]
        return rows.T.contiguous().to(device, dtype)
