"""Preprocessing of an image to the network's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resizing and normalization of an image.

    An upright picture (see :func:`~mtlsearch.bundle.read_image`) is converted to RGB, resized to
    ``size``, divided by 255 and normalized. Resizing does not keep the aspect ratio, so
    predictions are scaled back by one factor per side.

    Attributes:
        size: ``(height, width)`` of the input in pixels.
        mean: mean of each channel, in 0..1.
        std: standard deviation of each channel, in 0..1.
        resize: filter; always ``bilinear``, which averages when shrinking.

    Raises:
        ValueError: the size is not positive.
    """

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Literal["bilinear"] = "bilinear"

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise ValueError(f"`size` must be a positive height and width, got {self.size}")

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """Return the image as float32 ``[3, H, W]``."""
        rgb = image.convert("RGB")
        if rgb.size != (self.size[1], self.size[0]):
            rgb = rgb.resize((self.size[1], self.size[0]), Image.Resampling.BILINEAR)
        pixels = np.asarray(rgb, np.float32) / np.float32(255)
        scaled = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1), np.float32)
