"""What stands where in a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._rules import KINDS, Rules
from ._shapes import cover

TRIES = 12
LEAST_SEEN = 0.5
"""Every object shows at least this part of itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One object.

    Attributes:
        shape: which shape.
        texture: which texture.
        left: of its square, in pixels.
        top: of its square, in pixels.
        cover: how much of each pixel of its square it covers, ``[d, d]``.
    """

    shape: int
    texture: int
    left: int
    top: int
    cover: NDArray[np.float32]

    @property
    def window(self) -> tuple[slice, slice]:
        """Its square in the image."""
        side = len(self.cover)
        return slice(self.top, self.top + side), slice(self.left, self.left + side)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A scene before it is painted.

    Attributes:
        scene: its class.
        grating: of the background.
        things: from the hindmost to the foremost.
        owner: int64 ``[s, s]``, which thing each pixel shows, -1 for the background.
    """

    scene: int
    grating: int
    things: tuple[Thing, ...]
    owner: NDArray[np.int64]

    def boxes(self) -> NDArray[np.float32]:
        """Boxes around what is seen of each thing: ``[N, 4]`` xyxy."""
        boxes = np.zeros((len(self.things), 4), np.float32)
        for at, thing in enumerate(self.things):
            rows, columns = np.nonzero(self.owner[thing.window] == at)
            boxes[at] = (
                thing.left + columns.min(),
                thing.top + rows.min(),
                thing.left + columns.max() + 1,
                thing.top + rows.max() + 1,
            )
        return boxes


def lay_out(rules: Rules, size: int, chance: np.random.Generator) -> Layout:
    """A scene of ``size`` x ``size`` pixels, decided by ``chance``."""
    scene = int(chance.integers(KINDS))
    grating = rules.draw_grating(scene, chance)
    owner = np.full((size, size), -1, np.int64)
    things: list[Thing] = []
    for shape in rules.draw_shapes(scene, int(chance.integers(2, 5)), chance):
        texture = rules.draw_texture(shape, chance)
        _place(things, owner, shape, texture, chance)
    return Layout(scene, grating, tuple(things), owner)


def _place(
    things: list[Thing],
    owner: NDArray[np.int64],
    shape: int,
    texture: int,
    chance: np.random.Generator,
) -> None:
    """Put a thing in front of the others where enough of them stays visible.

    After some tries without such a place the thing is left out. The second one, which a
    scene's pair needs, always finds one: smaller and smaller things are tried.
    """
    size = len(owner)
    areas = np.bincount(owner[owner >= 0], minlength=len(things))
    whole = [int((thing.cover > 0.5).sum()) for thing in things]
    for attempt in range(10 * TRIES if len(things) < 2 else TRIES):
        shrink = 0.98**attempt
        side = max(6, round(size * chance.uniform(0.22, 0.42) * shrink))
        left, top = (int(at) for at in chance.integers(0, size - side + 1, size=2))
        new = Thing(shape, texture, left, top, cover(shape, side, chance.uniform(-0.4, 0.4)))
        solid = new.cover > 0.5
        hidden = owner[new.window][solid]
        left_over = areas - np.bincount(hidden[hidden >= 0], minlength=len(things))
        if all(seen >= LEAST_SEEN * full for seen, full in zip(left_over, whole, strict=True)):
            owner[new.window][solid] = len(things)
            things.append(new)
            return
