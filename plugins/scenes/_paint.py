"""Drawing of a scene."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ._layout import Layout
from ._textures import Plane

Pixels = NDArray[np.float32]


def paint(
    layout: Layout,
    textures: Sequence[Plane],
    gratings: Sequence[Plane],
    rng: np.random.Generator,
) -> Image.Image:
    """Draw a layout.

    Args:
        layout: objects and background.
        textures: one plane per texture.
        gratings: one plane per grating.
        rng: generator of colors, light, lines and noise.

    Returns:
        The image, RGB.
    """
    size = len(layout.owner)
    canvas = _background(_cut(gratings[layout.grating], size, rng), rng)
    canvas = _with_lines(canvas, rng)
    for item in layout.objects:
        side = len(item.cover)
        texture = _cut(textures[item.texture], side, rng)
        color = _bright(rng) * (1 + 0.45 * texture[..., None])
        cover = item.cover[..., None]
        canvas[item.window] += cover * (color - canvas[item.window])
    canvas *= _light(size, rng)[..., None]
    noise = rng.standard_normal((size, size, 3), np.float32)
    canvas += np.float32(rng.uniform(0.02, 0.06)) * noise
    return Image.fromarray((canvas * 255).clip(0, 255).astype(np.uint8))


def _cut(plane: Plane, side: int, rng: np.random.Generator) -> Plane:
    """Return a square from a random position of a plane, mirrored with probability 0.5."""
    top, left = (int(value) for value in rng.integers(0, len(plane) - side + 1, size=2))
    square = plane[top : top + side, left : left + side]
    return square[:, ::-1] if rng.random() < 0.5 else square


def _background(grating: Plane, rng: np.random.Generator) -> Pixels:
    """Return a muted color under a faint grating, ``[s, s, 3]``."""
    muted = (rng.uniform(0.3, 0.6) + rng.uniform(-0.08, 0.08, size=3)).astype(np.float32)
    strength = np.float32(rng.uniform(0.12, 0.25))
    return muted * (1 + strength * grating[..., None])


def _with_lines(canvas: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the canvas with thin lines, which have no labels."""
    size = len(canvas)
    picture = Image.fromarray((canvas * 255).clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(2, 6))):
        ends = [int(value) for value in rng.integers(0, size, size=4)]
        red, green, blue = (int(part) for part in rng.integers(40, 220, size=3))
        pen.line(ends, (red, green, blue), max(1, size // 64))
    return np.asarray(picture, np.float32) / np.float32(255)


def _bright(rng: np.random.Generator) -> Pixels:
    """Return a saturated color ``[3]``: one channel high, one low, one in between."""
    parts = np.array([rng.uniform(0.7, 1.0), rng.uniform(0.05, 0.35), rng.random()])
    return rng.permutation(parts).astype(np.float32)


def _light(size: int, rng: np.random.Generator) -> Plane:
    """Return a gradient of light ``[s, s]``, with values up to 1.2."""
    slope = rng.uniform(-0.35, 0.35, size=2).astype(np.float32)
    along = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    light: Plane = slope[0] * along[:, None] + slope[1] * along[None]
    light += 1 - np.abs(slope).sum() / 4
    return light
