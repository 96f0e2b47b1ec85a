"""Global average pooling and one linear layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlsearch.plugin import FeatureSpec


class ClassificationHead(nn.Module):
    """Levels ``[B, C_i, H_i, W_i]`` to ``{"logits": [B, classes]}``.

    Args:
        features: the levels it is given.
        classes: how many classes there are.
        levels: the last so many levels are read.
        dropout: part of the pooled features dropped in training.
    """

    def __init__(self, features: FeatureSpec, classes: int, *, levels: int, dropout: float) -> None:
        super().__init__()
        channels = [level.channels for level in features.levels[-levels:]]
        self._count = len(channels)
        # Backbones give their levels without the final norm that their own classifier has.
        self.norms = nn.ModuleList(nn.LayerNorm(each) for each in channels)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(sum(channels), classes)

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """See the class."""
        pooled = [
            norm(level.mean((2, 3)))
            for norm, level in zip(self.norms, levels[-self._count :], strict=True)
        ]
        return {"logits": self.classify(self.dropout(torch.cat(pooled, dim=1)))}
