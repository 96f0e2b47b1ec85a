"""Textures and gratings, drawn once and cut from at random places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def textures(size: int, chance: np.random.Generator) -> list[Plane]:
    """A plane ``[2 size, 2 size]`` in -1..1 for each of the six textures, in their order."""
    side = 2 * size
    y, x = np.mgrid[:side, :side].astype(np.float32)
    wave = 2 * np.pi / max(4.0, size / 10)
    dots = np.sin(wave * x) * np.sin(wave * y)
    planes = [
        np.zeros((side, side)),
        np.sign(np.sin(wave * y)),
        np.sign(dots),
        np.where(dots > 0.35, 1.0, -0.6),
        _noise(side, max(3, size // 9), chance),
        np.sign(_noise(side, max(1, size // 48), chance)),
    ]
    return [plane.astype(np.float32) for plane in planes]


def gratings(size: int) -> list[Plane]:
    """A plane ``[2 size, 2 size]`` in -1..1 for each of the six gratings, in their order."""
    side = 2 * size
    y, x = np.mgrid[:side, :side].astype(np.float32)
    planes = []
    for period in (size / 12, size / 4.5):
        wave = 2 * np.pi / period
        planes += [np.sin(wave * y), np.sin(wave * x), np.sin(wave * (x + y) / np.sqrt(2))]
    return [plane.astype(np.float32) for plane in planes]


def _noise(side: int, grain: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """Noise in blobs of about ``grain`` pixels, in -1..1."""
    plane = chance.standard_normal((side, side))
    for axis in (0, 1):
        # A running mean over 2 grain - 1 pixels, round the edge.
        plane = np.sum([np.roll(plane, by, axis) for by in range(1 - grain, grain)], axis=0)
    scaled: NDArray[np.float64] = plane / (2 * plane.std())
    return scaled.clip(-1, 1)
