"""Images from what users have: Pillow images, paths and arrays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from mtlsearch.errors import DataError
from mtlsearch.images import AnyImage, Bands, is_band_axis, read_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

ImageLike: TypeAlias = "AnyImage | str | os.PathLike[str] | NDArray[Any]"
"""A Pillow image, bands, a path, or an array ``[H, W]`` or ``[H, W, C]``."""


def to_image(image: ImageLike) -> AnyImage:
    """Return an image in upright form.

    Args:
        image: a Pillow image, which is rotated by its EXIF orientation; the path of a file; an
            array ``[H, W]`` or ``[H, W, C]`` of integers or floats; or bands. Two bands are gray
            and alpha.

    Returns:
        The image, before it is converted to 8-bit bands.

    Raises:
        DataError: the file cannot be read, or the value is none of these.
    """
    if isinstance(image, Bands):
        return image
    if isinstance(image, Image.Image):
        return _upright(image)
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image))
    if isinstance(image, np.ndarray):
        return _from_array(image)
    raise DataError(
        f"an image is expected, got {type(image).__name__}",
        allowed=["a Pillow image", "a path", "an array [H, W] or [H, W, C]", "a list of these"],
        next_step="convert the image, such as `np.asarray(image)`",
    )


def _upright(image: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    upright.format = image.format  # the pixel format depends on it
    return upright


def _from_array(array: NDArray[Any]) -> Bands:
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf" or 0 in array.shape:
        raise DataError(
            f"an array [H, W] or [H, W, C] of numbers is expected, got {list(array.shape)} of "
            f"{array.dtype}",
            next_step="pass a list of arrays for several images",
        )
    if array.ndim == 3 and is_band_axis(array.shape[0], array.shape[1:]):
        raise DataError(
            f"the array has the shape {list(array.shape)}, which looks like [C, H, W]",
            allowed=["[H, W]", "[H, W, C]"],
            next_step="pass `array.transpose(1, 2, 0)`",
        )
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    return Bands(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
