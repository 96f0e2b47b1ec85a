"""Regression head: global average pooling and one linear layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlsearch.plugin import FeatureSpec


class RegressionHead(nn.Module):
    """Module from feature levels ``[B, C_i, H_i, W_i]`` to numbers ``[B]``.

    Mean and standard deviation of the training labels are buffers, so that the weights contain
    all that a prediction needs.

    Args:
        features: the feature levels of the backbone.
        mean: mean of the training labels.
        std: standard deviation of the training labels, positive.
        levels: number of feature levels to use, from the last one.
        dropout: fraction of the pooled features that training sets to zero.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, features: FeatureSpec, *, mean: float, std: float, levels: int, dropout: float
    ) -> None:
        super().__init__()
        channels = [level.channels for level in features.levels[-levels:]]
        self._num_levels = len(channels)
        # Feature levels lack the final norm that the backbone's own classifier has.
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in channels)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(sum(channels), 1)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return ``value`` and ``std`` ``[B]``: numbers in the label's unit and their scale."""
        pooled = [
            norm(level.mean((2, 3)))
            for norm, level in zip(self.norms, levels[-self._num_levels :], strict=True)
        ]
        standardized = self.project(self.dropout(torch.cat(pooled, dim=1)))[:, 0].float()
        return {
            "value": standardized * self.std + self.mean,
            "std": self.std.expand_as(standardized),
        }
