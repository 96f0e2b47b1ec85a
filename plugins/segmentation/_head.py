"""Segmentation head: a light pyramid decoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mtlsearch.plugin import FeatureSpec
from mtlsearch.plugin.layers import FeaturePyramid, conv_block, resize


class SegmentationHead(nn.Module):
    """Module from levels ``[B, C_i, H_i, W_i]`` to ``{"logits": [B, classes, H, W]}``.

    All levels are merged at one stride and classified there, and the logits are resized to the
    image size (Kirillov et al. 2019, "Panoptic Feature Pyramid Networks", with fewer layers).

    Args:
        features: the feature levels of the backbone.
        classes: number of classes.
        channels: number of channels of the decoder.
        stride: image pixels per pixel of the decoder.
    """

    def __init__(self, features: FeatureSpec, classes: int, *, channels: int, stride: int) -> None:
        super().__init__()
        self._image_size = features.image_size
        self.pyramid = FeaturePyramid(features, channels, (stride,))
        self.refine = conv_block(channels, channels)
        self.classify = nn.Conv2d(channels, classes, 1)

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return ``{"logits": [B, classes, H, W]}``."""
        (merged,) = self.pyramid(levels)
        return {"logits": resize(self.classify(self.refine(merged)), self._image_size)}
