"""Writing of images in a pixel format without loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mtlsearch.images._bands import AnyImage

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def exact_suffix(num_channels: int) -> str:
    """Return the suffix of a file that holds images of some bands without loss.

    Args:
        num_channels: number of bands.

    Returns:
        ``.png`` for up to four bands, else ``.npy``.
    """
    return ".png" if num_channels in _MODES else ".npy"


def write_exact(image: AnyImage, path: Path) -> None:
    """Write an image so that reading it gives the same bands.

    Args:
        image: result of :meth:`PixelFormat.apply`.
        path: the file; its format follows :func:`exact_suffix`, whatever its name is.
    """
    if isinstance(image, Image.Image):
        image.save(path, "PNG")
        return
    values = image.values.astype(np.uint8, copy=False)
    if len(values) not in _MODES:
        with path.open("wb") as file:
            np.save(file, values, allow_pickle=False)
        return
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in values]
    image = planes[0] if len(planes) == 1 else Image.merge(_MODES[len(planes)], planes)
    image.save(path, "PNG")
