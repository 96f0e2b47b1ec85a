"""Outlines of the shapes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

OVERSAMPLE = 4

Points = list[tuple[float, float]]


def _regular(corners: int, radii: tuple[float, ...] = (1.0,)) -> Points:
    """Return corners on circles of alternating radii; the first one is at the top."""
    rays = [(radii[index % len(radii)], 2 * math.pi * index / corners) for index in range(corners)]
    return [(radius * math.sin(angle), -radius * math.cos(angle)) for radius, angle in rays]


_ARM = 0.3
_CROSS: Points = [
    (-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM),
    (_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM),
]  # fmt: skip
_SQUARE: Points = [(-0.75, -0.75), (0.75, -0.75), (0.75, 0.75), (-0.75, 0.75)]
_OUTLINES: tuple[Points | None, ...] = (
    None,
    _SQUARE,
    _regular(3),
    _regular(10, (1.0, 0.42)),
    None,
    _CROSS,
)
_RING = 4
_HOLE = 0.55


def cover(shape: int, side: int, angle: float) -> NDArray[np.float32]:
    """Return the fraction of each pixel that a shape covers.

    Args:
        shape: index of the shape.
        side: side of the square around it, in pixels.
        angle: rotation in radians.

    Returns:
        Float32 ``[side, side]``, 0 to 1.
    """
    big = side * OVERSAMPLE
    plane = Image.new("L", (big, big))
    pen = ImageDraw.Draw(plane)
    half, outline = big / 2, _OUTLINES[shape]
    if outline is None:
        pen.ellipse((0, 0, big - 1, big - 1), fill=255)
        if shape == _RING:
            low, high = half * (1 - _HOLE), half * (1 + _HOLE)
            pen.ellipse((low, low, high, high), fill=0)
    else:
        cos, sin = math.cos(angle), math.sin(angle)
        # 0.88 keeps the corners of a rotated cross inside the square.
        rotated = [(0.88 * (x * cos - y * sin), 0.88 * (x * sin + y * cos)) for x, y in outline]
        pen.polygon([(half * (1 + x), half * (1 + y)) for x, y in rotated], fill=255)
    return np.asarray(plane.reduce(OVERSAMPLE), np.float32) / np.float32(255)
