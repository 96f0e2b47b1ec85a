"""Images: the one reader of image files for training, checks, bundles and drawing.

An image is read as its file has it (:func:`read_image`). A :class:`PixelFormat` then converts it
to 8-bit bands, by the rule of the run file that the bundle repeats. :func:`resize_image` resizes
these bands. This package needs numpy and Pillow only.

>>> import numpy as np
>>> from mtlsearch.images import Bands, PixelFormat, resize_image
>>> thermal = Bands(np.array([[[0, 4095], [1024, 2048]]], np.uint16))
>>> PixelFormat(1, (0, 4095)).apply(thermal).values.tolist()
[[[0, 255], [64, 128]]]
>>> resize_image(PixelFormat().apply(thermal), (4, 6)).shape
(3, 4, 6)
"""

from mtlsearch.images._bands import NUM_BANDS, AnyImage, Bands
from mtlsearch.images._pixel_format import Channels, PixelFormat, PixelRange
from mtlsearch.images._read import (
    is_band_axis,
    load_array,
    open_image,
    read_image,
    require_file,
)
from mtlsearch.images._resize import contrast, resize_image, to_rgb
from mtlsearch.images._write import exact_suffix, write_exact

__all__ = [
    "NUM_BANDS",
    "AnyImage",
    "Bands",
    "Channels",
    "PixelFormat",
    "PixelRange",
    "contrast",
    "exact_suffix",
    "is_band_axis",
    "load_array",
    "open_image",
    "read_image",
    "require_file",
    "resize_image",
    "to_rgb",
    "write_exact",
]
