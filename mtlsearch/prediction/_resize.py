"""Planes of numbers, resized."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def resize_plane(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """One plane ``[h, w]``, resized bilinearly to ``size`` (height, width).

    Pixel centres keep their place; making it smaller averages, so nothing is skipped.
    """
    if plane.shape == size:
        return plane
    picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    resized = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32)


def largest(scores: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.integer]:
    """The class with the largest score at every pixel of a resized image.

    The scores are resized and then compared, which gives smooth outlines where resized
    indices give stairs. One class at a time: 150 classes of a 12-megapixel photograph
    would fill 7 GB at once.

    Args:
        scores: ``[C, h, w]``.
        size: ``(height, width)`` of the result; uint8 up to 255 classes, else int32.
    """
    best = resize_plane(scores[0], size).copy()
    indices = np.zeros(size, np.uint8 if len(scores) < 256 else np.int32)
    for index, plane in enumerate(scores[1:], start=1):
        resized = resize_plane(plane, size)
        wins = resized > best
        indices[wins] = index
        best[wins] = resized[wins]
    return indices
