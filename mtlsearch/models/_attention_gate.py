"""Attention gates: task-specific attention on shared features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlsearch.plugin import FeatureSpec
from mtlsearch.plugin.layers import conv_block

REDUCTION = 4
"""Ratio of a level's channels to the hidden channels of its gate."""

MIN_CHANNELS = 8
"""Minimum number of hidden channels."""


class AttentionGate(nn.Module):
    """Attention mask for one feature level: ``x * 2 sigmoid(m(x))``.

    ``m`` consists of two 1x1 convolutions, as in the attention module of MTAN (Liu, Johns and
    Davison 2019). The last convolution is initialized with zeros, so that a new gate is the
    identity: a trial starts from the same function with and without gates.

    Args:
        channels: channels ``C`` of the level ``[B, C, h, w]``.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(MIN_CHANNELS, channels // REDUCTION)
        self.inner = conv_block(channels, inner, kernel_size=1)
        self.mask = nn.Conv2d(inner, channels, 1)
        nn.init.zeros_(self.mask.weight)
        if self.mask.bias is not None:
            nn.init.zeros_(self.mask.bias)

    def forward(self, level: Tensor) -> Tensor:
        """Scale each channel at each pixel by a factor between 0 and 2.

        Args:
            level: float ``[B, C, h, w]``.

        Returns:
            The scaled level, ``[B, C, h, w]``.
        """
        return level * (2 * torch.sigmoid(self.mask(self.inner(level))))


class HeadWithAttention(nn.Module):
    """A head with one attention gate per feature level in front of it.

    Args:
        head: maps a list of levels ``[B, C, h, w]`` to tensors by name.
        features: the feature levels.
    """

    def __init__(self, head: nn.Module, features: FeatureSpec) -> None:
        super().__init__()
        self.gates = nn.ModuleList([AttentionGate(level.channels) for level in features.levels])
        self.head = head

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """Apply the gates and run the head.

        Args:
            levels: the feature levels, ``[B, C, h, w]`` each.

        Returns:
            Outputs of the head by name.
        """
        gated = [gate(level) for gate, level in zip(self.gates, levels, strict=True)]
        outputs: dict[str, Tensor] = self.head(gated)
        return outputs
