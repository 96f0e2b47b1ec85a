"""Textures and gratings, computed once and cropped at random positions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def textures(size: int, rng: np.random.Generator) -> list[Plane]:
    """Return one plane per texture, in order.

    Args:
        size: side of the images in pixels.
        rng: generator of the random textures.

    Returns:
        Six planes, float32 ``[2 * size, 2 * size]``, -1 to 1.
    """
    side = 2 * size
    y, x = np.mgrid[:side, :side].astype(np.float32)
    wave = 2 * np.pi / max(4.0, size / 10)
    dots = np.sin(wave * x) * np.sin(wave * y)
    planes = [
        np.zeros((side, side)),
        np.sign(np.sin(wave * y)),
        np.sign(dots),
        np.where(dots > 0.35, 1.0, -0.6),
        _noise(side, max(3, size // 9), rng),
        np.sign(_noise(side, max(1, size // 48), rng)),
    ]
    return [plane.astype(np.float32) for plane in planes]


def gratings(size: int) -> list[Plane]:
    """Return one plane per grating, in order.

    Args:
        size: side of the images in pixels.

    Returns:
        Six planes, float32 ``[2 * size, 2 * size]``, -1 to 1.
    """
    side = 2 * size
    y, x = np.mgrid[:side, :side].astype(np.float32)
    planes = []
    for period in (size / 12, size / 4.5):
        wave = 2 * np.pi / period
        planes += [np.sin(wave * y), np.sin(wave * x), np.sin(wave * (x + y) / np.sqrt(2))]
    return [plane.astype(np.float32) for plane in planes]


def _noise(side: int, grain: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return noise in blobs of about ``grain`` pixels, ``[side, side]``, -1 to 1."""
    plane = rng.standard_normal((side, side))
    for axis in (0, 1):
        # A running mean over 2 * grain - 1 pixels, with periodic borders.
        plane = np.sum([np.roll(plane, shift, axis) for shift in range(1 - grain, grain)], axis=0)
    scaled: NDArray[np.float64] = plane / (2 * plane.std())
    return scaled.clip(-1, 1)
