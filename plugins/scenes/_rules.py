"""Rules that derive labels from shapes, textures and gratings."""

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
NUM_CLASSES = len(SHAPES)


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of the labels for one value of ``relatedness``.

    Scenes and mask classes with an index below ``by_shape`` depend on shapes. Such a scene ``i``
    is the pair of shapes ``i`` and ``i + 1`` (modulo 6), on a grating that is not a scene
    itself. Every other scene ``i`` is the grating ``i``, with any shapes.

    Attributes:
        by_shape: number of scenes and mask classes that depend on shapes, 0 to 6.
    """

    by_shape: int

    @classmethod
    def of(cls, relatedness: float) -> Rules:
        """Return the rules for a relatedness from 0 to 1.

        Args:
            relatedness: 0: unrelated tasks; 1: all tasks depend on shapes.

        Returns:
            The rules.
        """
        return cls(round(NUM_CLASSES * relatedness))

    @property
    def scene_classes(self) -> tuple[str, ...]:
        """Names of the scenes."""
        pairs = [
            f"{SHAPES[index]} and {SHAPES[(index + 1) % NUM_CLASSES]}"
            for index in range(self.by_shape)
        ]
        return (*pairs, *GRATINGS[self.by_shape :])

    @property
    def mask_classes(self) -> tuple[str, ...]:
        """Names of the mask classes, the background first."""
        return ("background", *SHAPES[: self.by_shape], *TEXTURES[self.by_shape :])

    def mask_class(self, shape: int, texture: int) -> int:
        """Return the mask class of an object.

        Args:
            shape: index of the shape.
            texture: index of the texture.

        Returns:
            Index of the class, from 1.
        """
        return 1 + (shape if shape < self.by_shape else texture)

    def sample_grating(self, scene: int, rng: np.random.Generator) -> int:
        """Sample the grating of a scene.

        Args:
            scene: index of the scene.
            rng: random generator.

        Returns:
            Index of the grating.
        """
        return scene if scene >= self.by_shape else int(rng.integers(self.by_shape))

    def sample_shapes(self, scene: int, count: int, rng: np.random.Generator) -> list[int]:
        """Sample the shapes of a scene's objects.

        Args:
            scene: index of the scene.
            count: number of objects, 2 or more.
            rng: random generator.

        Returns:
            Indices of the shapes.
        """
        if scene >= self.by_shape:
            return [int(shape) for shape in rng.integers(NUM_CLASSES, size=count)]
        # Shape i + 3 forms no pair with shapes i and i + 1, so that the scene is unambiguous.
        pair, options = [scene, scene + 1], [scene, scene + 1, scene + 3]
        chosen = pair + [options[index] for index in rng.integers(3, size=count - 2)]
        return [shape % NUM_CLASSES for shape in chosen]

    def sample_texture(self, shape: int, rng: np.random.Generator) -> int:
        """Sample the texture of an object.

        If its shape is not a mask class, the texture is one of those that are.

        Args:
            shape: index of the shape.
            rng: random generator.

        Returns:
            Index of the texture.
        """
        low = 0 if shape < self.by_shape else self.by_shape
        return int(rng.integers(low, NUM_CLASSES))
