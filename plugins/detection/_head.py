"""Detection head: an anchor-free head on a feature pyramid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mtlsearch.plugin import FeatureSpec
from mtlsearch.plugin.layers import FeaturePyramid, conv_block

from ._grid import make_grid

INITIAL_SCORE = 0.01
"""Initial score of every class at every point, so that the loss of the background is small."""


class DetectionHead(nn.Module):
    """Module from levels ``[B, C_i, H_i, W_i]`` to boxes at N points (Tian et al. 2019, "FCOS").

    Two towers, one for classes and one for boxes, run on all maps of the pyramid.

    Args:
        features: the feature levels of the backbone.
        classes: number of classes.
        channels: number of channels of the pyramid and the towers.
        strides: strides of the maps; those larger than the image are not used.
        depth: number of convolutions per tower.
    """

    grid: Tensor
    size: Tensor

    def __init__(
        self,
        features: FeatureSpec,
        classes: int,
        *,
        channels: int,
        strides: Sequence[int],
        depth: int,
    ) -> None:
        super().__init__()
        height, width = features.image_size
        usable = {stride for stride in strides if stride <= min(height, width)}
        kept = sorted(usable) or [min(strides)]
        self.pyramid = FeaturePyramid(features, channels, kept)
        self.class_tower = nn.Sequential(*(conv_block(channels, channels) for _ in range(depth)))
        self.box_tower = nn.Sequential(*(conv_block(channels, channels) for _ in range(depth)))
        self.classify = nn.Conv2d(channels, classes, 3, padding=1)
        self.locate = nn.Conv2d(channels, 4, 3, padding=1)
        initial_logit = math.log(INITIAL_SCORE / (1 - INITIAL_SCORE))
        for layer, bias in ((self.classify, initial_logit), (self.locate, 0.0)):
            nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.constant_(layer.bias, bias)
        grid = make_grid(self.pyramid.sizes, kept)
        self.register_buffer("grid", grid, persistent=False)
        self.register_buffer("size", torch.tensor([float(width), float(height)]), persistent=False)

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return predictions at N points.

        ``logits`` ``[B, N, classes]``; ``raw_boxes`` ``[B, N, 4]`` and ``grid`` ``[B, N, 3]`` for
        :func:`to_boxes`; ``size`` ``[B, 2]``, width and height of the image.
        """
        logits, raw_boxes = [], []
        for maps in self.pyramid(levels):
            logits.append(_as_points(self.classify(self.class_tower(maps))))
            raw_boxes.append(_as_points(self.locate(self.box_tower(maps))))
        batch = logits[0].shape[0]
        return {
            "logits": torch.cat(logits, dim=1),
            "raw_boxes": torch.cat(raw_boxes, dim=1),
            "grid": self.grid.expand(batch, -1, -1),
            "size": self.size.expand(batch, -1),
        }


def _as_points(maps: Tensor) -> Tensor:
    """Reshape maps ``[B, C, H, W]`` to points ``[B, H * W, C]``."""
    return maps.flatten(2).transpose(1, 2)
