"""How far one feature is from another, up to a linear map that is learned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

TINY = 1e-6
"""Added to squared lengths, so that where a feature is 0 its direction has a finite gradient."""


class Adapters(nn.Module):
    """A 1x1 convolution a task, which is the identity at first.

    Args:
        keys: by task, the name its adapter is to have as a submodule.
        channels: ``C`` of the features.
    """

    def __init__(self, keys: Mapping[str, str], channels: int) -> None:
        super().__init__()
        self._keys = keys
        self.maps = nn.ModuleDict({key: _identity(channels) for key in keys.values()})

    def distance(self, task: str, feature: Tensor, target: Tensor) -> Tensor:
        """``[B]``: the squared distance of directions, averaged over places; 0 to 4.

        Both are scaled to length 1 at each place, as Li and Bilen (2020) do.

        Args:
            task: whose adapter maps the feature.
            feature: ``[B, C, h, w]``.
            target: of the same shape.
        """
        mapped = self.maps[self._keys[task]](feature)
        return (_direction(mapped) - _direction(target)).square().sum(1).mean((1, 2))


def _direction(feature: Tensor) -> Tensor:
    """Float32 of length 1 over the channels, whatever format the network computes in."""
    feature = feature.float()
    return feature * torch.rsqrt(feature.square().sum(1, keepdim=True) + TINY)


def _identity(channels: int) -> nn.Module:
    linear = nn.Conv2d(channels, channels, 1, bias=False)
    nn.init.dirac_(linear.weight)
    return linear
