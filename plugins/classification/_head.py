"""Classification head: global average pooling and one linear layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlsearch.plugin import FeatureSpec


class ClassificationHead(nn.Module):
    """Module from feature levels ``[B, C_i, H_i, W_i]`` to ``{"logits": [B, classes]}``.

    Args:
        features: the feature levels of the backbone.
        classes: number of classes.
        levels: number of feature levels to use, from the last one.
        dropout: fraction of the pooled features that training sets to zero.
    """

    def __init__(self, features: FeatureSpec, classes: int, *, levels: int, dropout: float) -> None:
        super().__init__()
        channels = [level.channels for level in features.levels[-levels:]]
        self._num_levels = len(channels)
        # Feature levels lack the final norm that the backbone's own classifier has.
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in channels)
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(sum(channels), classes)

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return ``{"logits": [B, classes]}``."""
        pooled = [
            norm(level.mean((2, 3)))
            for norm, level in zip(self.norms, levels[-self._num_levels :], strict=True)
        ]
        return {"logits": self.classify(self.dropout(torch.cat(pooled, dim=1)))}
