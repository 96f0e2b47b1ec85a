"""From a picture of any size to what the network takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How an image becomes the network's input.

    The picture, upright (see :func:`~mtlsearch.bundle.read_image`), is turned into RGB, resized
    to ``size`` (its aspect ratio is not kept, so predictions scale back by one factor a side),
    divided by 255 and normalised.

    Attributes:
        size: ``(height, width)`` of the input in pixels.
        mean: subtracted, a number a channel, in parts of 255.
        std: divided by, after that.
        resize: the filter; ``bilinear`` (averaging where it shrinks) is the one there is.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str = "bilinear"

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """The image as float32 ``[3, H, W]``."""
        rgb = image.convert("RGB")
        if rgb.size != (self.size[1], self.size[0]):
            rgb = rgb.resize((self.size[1], self.size[0]), Image.Resampling.BILINEAR)
        pixels = np.asarray(rgb, np.float32) / np.float32(255)
        scaled = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1), np.float32)
