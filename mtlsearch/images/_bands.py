"""Bands: an image as an array, for what Pillow has no mode for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NUM_BANDS = "num_bands"
"""Key of ``Image.info``: number of bands of the file, if Pillow decodes fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """An image of any number of bands and any type of number.

    Attributes:
        values: ``[C, H, W]``, integers or floats.
    """

    values: NDArray[np.generic]

    @property
    def size(self) -> tuple[int, int]:
        """``(width, height)`` in pixels, as of a Pillow image."""
        _, height, width = self.values.shape
        return width, height

    def tobytes(self) -> bytes:
        """Return the numbers as bytes.

        Returns:
            The bytes of :attr:`values`, row by row.
        """
        return self.values.tobytes()


AnyImage: TypeAlias = Image.Image | Bands
"""A Pillow image in any mode, or an array of bands. Both have ``size`` and ``tobytes()``."""
