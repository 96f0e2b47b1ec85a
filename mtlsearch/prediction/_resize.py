"""Bilinear resizing of planes of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def resize_plane(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a plane, resized bilinearly; shrinking averages all pixels.

    Args:
        plane: float32 ``[h, w]``.
        size: ``(height, width)`` of the result.

    Returns:
        float32 ``[height, width]``; pixel centers are aligned.
    """
    if plane.shape == size:
        return plane
    picture = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    resized = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32)


def largest(scores: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.integer]:
    """Return the class with the largest resized score at every pixel.

    Resizing scores before comparing them gives smooth outlines. Classes are resized one at a
    time, because 150 classes of a 12-megapixel photograph need 7 GB together.

    Args:
        scores: ``[C, h, w]``.
        size: ``(height, width)`` of the result.

    Returns:
        Class indices ``[height, width]``, uint8 up to 255 classes, else int32.
    """
    best = resize_plane(scores[0], size).copy()
    indices = np.zeros(size, np.uint8 if len(scores) < 256 else np.int32)
    for index, plane in enumerate(scores[1:], start=1):
        resized = resize_plane(plane, size)
        is_larger = resized > best
        indices[is_larger] = index
        best[is_larger] = resized[is_larger]
    return indices
