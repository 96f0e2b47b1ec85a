"""A light pyramid decoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mtlsearch.plugin import FeatureSpec
from mtlsearch.plugin.layers import FeaturePyramid, conv_block, resize


class SegmentationHead(nn.Module):
    """Levels ``[B, C_i, H_i, W_i]`` to ``{"logits": [B, classes, H, W]}`` of the image's size.

    All levels are merged at one stride (Kirillov et al. 2019, Panoptic Feature Pyramid
    Networks, made lighter), classified there, and the logits resized.

    Args:
        features: the levels it is given.
        classes: how many classes there are.
        channels: channels of the decoder.
        stride: image pixels per pixel of the decoder.
    """

    def __init__(self, features: FeatureSpec, classes: int, *, channels: int, stride: int) -> None:
        super().__init__()
        self._image_size = features.image_size
        self.pyramid = FeaturePyramid(features, channels, (stride,))
        self.refine = conv_block(channels, channels)
        self.classify = nn.Conv2d(channels, classes, 1)

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """See the class."""
        (merged,) = self.pyramid(levels)
        return {"logits": resize(self.classify(self.refine(merged)), self._image_size)}
