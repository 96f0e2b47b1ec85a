"""A scene as a picture."""

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
    chance: np.random.Generator,
) -> Image.Image:
    """The picture of a layout; colours, light, lines and noise are decided by ``chance``."""
    size = len(layout.owner)
    canvas = _background(_cut(gratings[layout.grating], size, chance), chance)
    canvas = _with_lines(canvas, chance)
    for thing in layout.things:
        side = len(thing.cover)
        texture = _cut(textures[thing.texture], side, chance)
        own = _bright(chance) * (1 + 0.45 * texture[..., None])
        cover = thing.cover[..., None]
        canvas[thing.window] += cover * (own - canvas[thing.window])
    canvas *= _light(size, chance)[..., None]
    noise = chance.standard_normal((size, size, 3), np.float32)
    canvas += np.float32(chance.uniform(0.02, 0.06)) * noise
    return Image.fromarray((canvas * 255).clip(0, 255).astype(np.uint8))


def _cut(plane: Plane, side: int, chance: np.random.Generator) -> Plane:
    """A square of a plane from a random place, mirrored half of the time."""
    top, left = (int(at) for at in chance.integers(0, len(plane) - side + 1, size=2))
    square = plane[top : top + side, left : left + side]
    return square[:, ::-1] if chance.random() < 0.5 else square


def _background(grating: Plane, chance: np.random.Generator) -> Pixels:
    """A muted colour under a faint grating."""
    muted = (chance.uniform(0.3, 0.6) + chance.uniform(-0.08, 0.08, size=3)).astype(np.float32)
    strength = np.float32(chance.uniform(0.12, 0.25))
    return muted * (1 + strength * grating[..., None])


def _with_lines(canvas: Pixels, chance: np.random.Generator) -> Pixels:
    """Thin lines that no label tells of."""
    size = len(canvas)
    picture = Image.fromarray((canvas * 255).clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(int(chance.integers(2, 6))):
        ends = [int(at) for at in chance.integers(0, size, size=4)]
        red, green, blue = (int(part) for part in chance.integers(40, 220, size=3))
        pen.line(ends, (red, green, blue), max(1, size // 64))
    return np.asarray(picture, np.float32) / np.float32(255)


def _bright(chance: np.random.Generator) -> Pixels:
    """A colour of some saturation: one channel high, one low, one between."""
    parts = np.array([chance.uniform(0.7, 1.0), chance.uniform(0.05, 0.35), chance.random()])
    return chance.permutation(parts).astype(np.float32)


def _light(size: int, chance: np.random.Generator) -> Plane:
    """A gradient of light across the image, brightest 1.2."""
    slope = chance.uniform(-0.35, 0.35, size=2).astype(np.float32)
    along = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    light: Plane = slope[0] * along[:, None] + slope[1] * along[None]
    light += 1 - np.abs(slope).sum() / 4
    return light
