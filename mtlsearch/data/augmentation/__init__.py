"""Augmentation: crop, flip, rotation, resize and color jitter of a whole batch on its device.

All random numbers of a batch are sampled first, as *augmentation params* (``_params.py``). They
depend only on seed, epoch and image index, never on the batch. Images, masks, maps and boxes are
then cropped, flipped, rotated and resized together (``_geometry.py``), and colors are jittered
(``_color.py``). The result equals that of torchvision's transforms, applied to each image with
the same numbers.

>>> from mtlsearch.config import AugmentConfig
>>> from mtlsearch.data.augmentation import sample_params
>>> params = sample_params(
...     AugmentConfig(), (74, 74), (64, 64), seed=0, epoch=3, indices=[7, 2, 9]
... )
>>> single = sample_params(AugmentConfig(), (74, 74), (64, 64), seed=0, epoch=3, indices=[2])
>>> bool((params.start[1] == single.start[0]).all())
True
"""

from mtlsearch.data.augmentation._geometry import MIN_SIDE, transform_boxes
from mtlsearch.data.augmentation._params import (
    AugmentationParams,
    identity_params,
    sample_params,
)
from mtlsearch.data.augmentation._pipeline import BatchTransform

__all__ = [
    "MIN_SIDE",
    "AugmentationParams",
    "BatchTransform",
    "identity_params",
    "sample_params",
    "transform_boxes",
]
