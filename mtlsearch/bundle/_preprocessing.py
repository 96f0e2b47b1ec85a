"""Preprocessing of an image to the network's input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mtlsearch.images import AnyImage, Channels, PixelFormat, PixelRange, resize_image

if TYPE_CHECKING:
    from numpy.typing import NDArray


MAX_NUMBERS = 2**28
"""Largest number of pixels times channels of the network's input, as in a run file."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Pixel format, resizing and normalization of an image.

    An upright image (see :func:`~mtlsearch.images.read_image`) is converted to 8-bit bands,
    resized to ``size``, divided by 255 and normalized. Resizing does not keep the aspect ratio,
    so predictions are scaled back by one factor per side.

    Attributes:
        size: ``(height, width)`` of the input in pixels.
        mean: mean of each channel, in 0..1.
        std: standard deviation of each channel, in 0..1.
        channels: ``"rgb"``, ``"rgba"`` or a number of bands.
        pixel_range: the numbers that become 0 and 255 in images of more than 8 bits, or
            ``"auto"``: 0 and 65535 for 16-bit integers, and no other type.
        resize: filter; always ``bilinear``, which averages when shrinking.

    Raises:
        ValueError: the size is not positive or too large for memory, mean and standard deviation
            have another number of channels, or a standard deviation is not positive.
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Channels = "rgb"
    pixel_range: PixelRange = "auto"
    resize: Literal["bilinear"] = "bilinear"

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise ValueError(f"`size` must be a positive height and width, got {self.size}")
        count = self.pixel_format.num_channels
        if math.prod(self.size) * count > MAX_NUMBERS:
            raise ValueError(f"`size` {self.size} with {count} channels is too large")
        if not len(self.mean) == len(self.std) == count:
            raise ValueError(
                f"`mean` and `std` must have {count} numbers for {self.channels} channels, got "
                f"{len(self.mean)} and {len(self.std)}"
            )
        if min(self.std) <= 0:
            raise ValueError(f"`std` must be positive, got {min(self.std)}")

    @property
    def pixel_format(self) -> PixelFormat:
        """Rule that converts a image to 8-bit bands."""
        return PixelFormat(self.channels, self.pixel_range)

    def __call__(self, image: AnyImage) -> NDArray[np.float32]:
        """Return the network's input.

        Args:
            image: an upright image of any size, mode and number of bands.

        Returns:
            float32 ``[C, H, W]``, normalized.

        Raises:
            DataError: the image does not fit the pixel format.
        """
        resized = resize_image(self.pixel_format.apply(image), self.size)
        pixels = resized.transpose(1, 2, 0).astype(np.float32) / np.float32(255)
        scaled = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1), np.float32)
