"""Torch modules and functions for heads.

Unlike :mod:`mtlsearch.plugin`, this package imports torch.

>>> import torch
>>> from mtlsearch.plugin import FeatureLevel, FeatureSpec
>>> from mtlsearch.plugin.layers import FeaturePyramid
>>> spec = FeatureSpec(levels=(FeatureLevel(192, 16), FeatureLevel(192, 16)), image_size=(64, 96))
>>> pyramid = FeaturePyramid(spec, channels=32, strides=(8, 16, 32))
>>> levels = [torch.zeros(1, 192, 4, 6), torch.zeros(1, 192, 4, 6)]
>>> [tuple(level.shape) for level in pyramid(levels)]
[(1, 32, 8, 12), (1, 32, 4, 6), (1, 32, 2, 3)]
"""

from mtlsearch.plugin.layers._blocks import conv_block, resize
from mtlsearch.plugin.layers._class_weights import ClassWeights, class_weights
from mtlsearch.plugin.layers._pyramid import FeaturePyramid

__all__ = ["ClassWeights", "FeaturePyramid", "class_weights", "conv_block", "resize"]
