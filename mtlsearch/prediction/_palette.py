"""Colors of classes and a perceptual color scale for numbers."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Color = tuple[int, int, int]

# Different in hue, bright enough on photographs; neighbors contrast.
_NAMED: tuple[Color, ...] = (
    (255, 89, 94),
    (54, 162, 235),
    (255, 202, 58),
    (113, 201, 85),
    (178, 111, 236),
    (255, 146, 43),
    (32, 201, 176),
    (240, 98, 172),
    (151, 117, 84),
    (176, 212, 255),
    (204, 224, 62),
    (120, 132, 255),
)

VOID: Color = (128, 128, 128)
"""Color of pixels without a class or a finite number."""

# Seventeen colors of viridis (van der Walt and Smith 2015, CC0), which is perceptually uniform,
# also in grayscale and for color-blind readers.
VIRIDIS = np.array(
    [
        (68, 1, 84), (72, 24, 106), (71, 45, 123), (66, 64, 134), (59, 82, 139),
        (51, 99, 141), (44, 114, 142), (38, 130, 142), (33, 145, 140), (31, 160, 136),
        (40, 174, 128), (63, 188, 115), (94, 201, 98), (132, 212, 75), (173, 220, 48),
        (216, 226, 25), (253, 231, 37),
    ],
    np.float64,
)  # fmt: skip
"""Red, green and blue of equal steps from the smallest to the largest number."""


def class_color(index: int) -> Color:
    """Return the color of a class, the same in every picture.

    Args:
        index: class index, from 0.

    Returns:
        Red, green and blue, 0 to 255.
    """
    if index < len(_NAMED):
        return _NAMED[index]
    # Golden ratio steps around the hue circle keep consecutive hues far apart.
    hue = (index * 0.6180339887) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.45 + 0.2 * (index % 3), 0.95)
    return (round(red * 255), round(green * 255), round(blue * 255))


def viridis(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the colors ``[..., 3]`` of numbers in 0..1, from dark blue to yellow."""
    steps = np.linspace(0.0, 1.0, len(VIRIDIS))
    channels = [np.interp(values, steps, VIRIDIS[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def ink_on(color: Color) -> Color:
    """Return black or white, whichever has more contrast to ``color``."""
    red, green, blue = color
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    return (0, 0, 0) if luminance > 140 else (255, 255, 255)
