"""Resizing, contrast and drawing form of images in a pixel format."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mtlsearch.images._bands import AnyImage
from mtlsearch.images._pixel_format import PixelFormat


def resize_image(image: AnyImage, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an image bilinearly without keeping its aspect ratio; shrinking averages.

    Every band is resized on its own, so that transparent pixels count as opaque ones do.

    Args:
        image: result of :meth:`PixelFormat.apply`.
        size: ``(height, width)`` after resizing.

    Returns:
        uint8 ``[C, height, width]``, contiguous and writable.
    """
    if isinstance(image, Image.Image):
        pixels = np.asarray(_resized(image, size))
        return pixels.transpose(2, 0, 1).copy()
    values = image.values.astype(np.uint8, copy=False)
    planes = [np.asarray(_resized(Image.fromarray(plane), size)) for plane in values]
    return np.stack(planes)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == (size[1], size[0]):
        return image
    return image.resize((size[1], size[0]), Image.Resampling.BILINEAR)


def contrast(image: AnyImage) -> int:
    """Return the largest difference between two pixels in one band.

    Args:
        image: result of :meth:`PixelFormat.apply`.

    Returns:
        The difference, 0 to 255.
    """
    if isinstance(image, Image.Image):
        extrema = np.asarray(image.getextrema()).reshape(-1, 2)
        return int((extrema[:, 1] - extrema[:, 0]).max())
    values = image.values.reshape(len(image.values), -1).astype(np.int64, copy=False)
    return int((values.max(axis=1) - values.min(axis=1)).max())


def to_rgb(image: AnyImage) -> Image.Image:
    """Return a image that can be drawn: its first three bands, or gray.

    Args:
        image: an image of 8 bits, or of 16 bits from 0 to 65535.

    Returns:
        An image in mode RGB.

    Raises:
        DataError: the range of its numbers is unknown.
    """
    return cast("Image.Image", PixelFormat().apply(image))  # three channels give no Bands
