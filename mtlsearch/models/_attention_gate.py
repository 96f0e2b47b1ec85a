"""A task's attention on the features that it shares."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlsearch.plugin import FeatureSpec
from mtlsearch.plugin.layers import conv_block

REDUCTION = 4
"""A gate's inner channels are so many times fewer than the level's."""

LEAST = 8


class AttentionGate(nn.Module):
    """A mask on one level: ``x * 2 sigmoid(m(x))``, with two 1x1 convolutions in ``m``.

    After the attention module of MTAN (Liu, Johns and Davison 2019). The last convolution
    begins with zeros, so that a new gate lets everything pass as it is: a trial starts from
    the same function with gates and without.

    Args:
        channels: ``C`` of the level ``[B, C, h, w]``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(LEAST, channels // REDUCTION)
        self.inner = conv_block(channels, inner, kernel_size=1)
        self.mask = nn.Conv2d(inner, channels, 1)
        nn.init.zeros_(self.mask.weight)
        if self.mask.bias is not None:
            nn.init.zeros_(self.mask.bias)

    def forward(self, level: Tensor) -> Tensor:
        """The level with each channel at each place let through between 0 and 2 times."""
        return level * (2 * torch.sigmoid(self.mask(self.inner(level))))


class HeadWithAttention(nn.Module):
    """A head behind a gate a level.

    Args:
        head: from a list of levels ``[B, C, h, w]`` to named tensors.
        features: the levels.
    """

    def __init__(self, head: nn.Module, features: FeatureSpec) -> None:
        super().__init__()
        self.gates = nn.ModuleList([AttentionGate(level.channels) for level in features.levels])
        self.head = head

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """What the head makes of the levels that the gates let through."""
        passed = [gate(level) for gate, level in zip(self.gates, levels, strict=True)]
        outputs: dict[str, Tensor] = self.head(passed)
        return outputs
