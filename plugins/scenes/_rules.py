"""Which of an image's properties decide its labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHAPES = ("disk", "square", "triangle", "star", "ring", "cross")
TEXTURES = ("plain", "striped", "checked", "dotted", "mottled", "speckled")
GRATINGS = (
    "fine across",
    "fine down",
    "fine aslant",
    "coarse across",
    "coarse down",
    "coarse aslant",
)
KINDS = len(SHAPES)


@dataclass(frozen=True, slots=True)
class Rules:
    """Scenes and mask classes below ``by_shape`` go by shape, the others do not.

    Scene ``i`` by shape is the pair of shapes ``i`` and ``i + 1`` (counted round), on any
    grating that is not itself a scene; by grating it is grating ``i`` under any shapes.
    """

    by_shape: int

    @classmethod
    def of(cls, relatedness: float) -> Rules:
        """The rules at a setting from 0 (unrelated) to 1 (one and the same)."""
        return cls(round(KINDS * relatedness))

    @property
    def scene_classes(self) -> tuple[str, ...]:
        """Names of the scenes."""
        pairs = [f"{SHAPES[at]} and {SHAPES[(at + 1) % KINDS]}" for at in range(self.by_shape)]
        return (*pairs, *GRATINGS[self.by_shape :])

    @property
    def mask_classes(self) -> tuple[str, ...]:
        """Names of the mask's classes, the background first."""
        return ("background", *SHAPES[: self.by_shape], *TEXTURES[self.by_shape :])

    def mask_class(self, shape: int, texture: int) -> int:
        """The mask class of an object."""
        return 1 + (shape if shape < self.by_shape else texture)

    def draw_grating(self, scene: int, chance: np.random.Generator) -> int:
        """A background for a scene."""
        return scene if scene >= self.by_shape else int(chance.integers(self.by_shape))

    def draw_shapes(self, scene: int, count: int, chance: np.random.Generator) -> list[int]:
        """Shapes for a scene's objects."""
        if scene >= self.by_shape:
            return [int(shape) for shape in chance.integers(KINDS, size=count)]
        # Shape i + 3 makes no pair with either of i and i + 1, so no other scene is told.
        pair, others = [scene, scene + 1], [scene, scene + 1, scene + 3]
        chosen = pair + [others[at] for at in chance.integers(3, size=count - 2)]
        return [shape % KINDS for shape in chosen]

    def draw_texture(self, shape: int, chance: np.random.Generator) -> int:
        """A texture for an object; among those that name a class where its shape does not."""
        low = 0 if shape < self.by_shape else self.by_shape
        return int(chance.integers(low, KINDS))
