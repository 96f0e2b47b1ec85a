"""Layout of a scene: its objects and their positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._rules import NUM_CLASSES, Rules
from ._shapes import cover

MAX_ATTEMPTS = 12
"""Number of positions that are tried for an object."""

MIN_VISIBLE = 0.5
"""Smallest visible fraction of an object."""


@dataclass(frozen=True, slots=True, eq=False)
class SceneObject:
    """One object in a square of side d.

    Attributes:
        shape: index of the shape.
        texture: index of the texture.
        left: left side of the square, in pixels.
        top: top side of the square, in pixels.
        cover: covered fraction of each pixel of the square, float32 ``[d, d]``, 0 to 1.
    """

    shape: int
    texture: int
    left: int
    top: int
    cover: NDArray[np.float32]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the square in the image."""
        side = len(self.cover)
        return slice(self.top, self.top + side), slice(self.left, self.left + side)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Contents of a scene of ``s`` x ``s`` pixels, before it is drawn.

    Attributes:
        scene: index of the scene class.
        grating: index of the grating of the background.
        objects: objects, from back to front.
        owner: int64 ``[s, s]``, index of the visible object of each pixel; -1 is the background.
    """

    scene: int
    grating: int
    objects: tuple[SceneObject, ...]
    owner: NDArray[np.int64]

    def boxes(self) -> NDArray[np.float32]:
        """Return boxes around the visible part of each object, float32 ``[N, 4]``, xyxy."""
        boxes = np.zeros((len(self.objects), 4), np.float32)
        for index, item in enumerate(self.objects):
            rows, columns = np.nonzero(self.owner[item.window] == index)
            boxes[index] = (
                item.left + columns.min(),
                item.top + rows.min(),
                item.left + columns.max() + 1,
                item.top + rows.max() + 1,
            )
        return boxes


def sample_layout(rules: Rules, size: int, rng: np.random.Generator) -> Layout:
    """Sample a scene of ``size`` x ``size`` pixels.

    Args:
        rules: rules of the labels.
        size: side of the image in pixels.
        rng: generator of all random numbers.

    Returns:
        The layout.
    """
    scene = int(rng.integers(NUM_CLASSES))
    grating = rules.sample_grating(scene, rng)
    owner = np.full((size, size), -1, np.int64)
    objects: list[SceneObject] = []
    for shape in rules.sample_shapes(scene, int(rng.integers(2, 5)), rng):
        texture = rules.sample_texture(shape, rng)
        _place(objects, owner, shape, texture, rng)
    return Layout(scene, grating, tuple(objects), owner)


def _place(
    objects: list[SceneObject],
    owner: NDArray[np.int64],
    shape: int,
    texture: int,
    rng: np.random.Generator,
) -> None:
    """Add an object in front of the others at a position where they stay visible.

    Without such a position, the object is omitted. Later attempts use smaller objects, so that
    the second object, which the pair of a scene needs, always has a position.
    """
    size = len(owner)
    visible = np.bincount(owner[owner >= 0], minlength=len(objects))
    areas = [int((item.cover > 0.5).sum()) for item in objects]
    for attempt in range(10 * MAX_ATTEMPTS if len(objects) < 2 else MAX_ATTEMPTS):
        shrink = 0.98**attempt
        side = max(6, round(size * rng.uniform(0.22, 0.42) * shrink))
        left, top = (int(value) for value in rng.integers(0, size - side + 1, size=2))
        new = SceneObject(shape, texture, left, top, cover(shape, side, rng.uniform(-0.4, 0.4)))
        is_covered = new.cover > 0.5
        hidden = owner[new.window][is_covered]
        remaining = visible - np.bincount(hidden[hidden >= 0], minlength=len(objects))
        if all(pixels >= MIN_VISIBLE * area for pixels, area in zip(remaining, areas, strict=True)):
            owner[new.window][is_covered] = len(objects)
            objects.append(new)
            return
