"""The source of generated scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, NonNegativeInt

from mtlsearch.plugin import (
    Boxes,
    DatasetSource,
    Form,
    LabelSpec,
    RawLabel,
    Sample,
    Settings,
    hookimpl,
)

from ._layout import Layout, lay_out
from ._paint import paint
from ._rules import SHAPES, Rules
from ._textures import gratings, textures

SPLITS = ("train", "val", "test")


class ScenesSettings(Settings):
    """How many scenes, how large, and how related their tasks are."""

    train: NonNegativeInt = Field(480, description="images to train on")
    val: NonNegativeInt = Field(160, description="images to validate on")
    test: NonNegativeInt = Field(160, description="images for the last test")
    image_size: int = Field(64, ge=32, description="side of the images in pixels")
    relatedness: float = Field(
        0.5, ge=0, le=1, description="1: all tasks go by shape; 0: each by something else"
    )
    missing: float = Field(
        0.0, ge=0, le=1, description="part of the training labels left out, at random"
    )
    seed_offset: NonNegativeInt = Field(
        0, description="added to the run's seed, for further images of the same kind"
    )


class Scenes(DatasetSource[ScenesSettings]):
    """Overlapping textured shapes; see :mod:`mtlsearch_plugins.scenes`."""

    name = "scenes"
    summary = "Generated: overlapping textured shapes with scene, boxes and masks; no files"
    generated = True
    Settings = ScenesSettings

    def __init__(self, settings: ScenesSettings, *, root: Path, seed: int) -> None:
        self.settings = settings
        self._seed = seed + settings.seed_offset
        self._rules = Rules.of(settings.relatedness)
        self._textures = textures(settings.image_size, np.random.default_rng(0))
        self._gratings = gratings(settings.image_size)

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        return {
            "scene": LabelSpec(Form.CATEGORY, self._rules.scene_classes),
            "objects": LabelSpec(Form.BOXES, SHAPES),
            "shapes": LabelSpec(Form.MASK, self._rules.mask_classes),
        }

    def size(self, split: str) -> int:
        return {
            "train": self.settings.train,
            "val": self.settings.val,
            "test": self.settings.test,
        }.get(split, 0)

    def read(self, split: str, index: int) -> Sample:
        if not 0 <= index < self.size(split):
            raise IndexError(f"split {split!r} has {self.size(split)} images, none is {index}")
        chance = np.random.default_rng([self._seed, SPLITS.index(split), index])
        layout = lay_out(self._rules, self.settings.image_size, chance)
        image = paint(layout, self._textures, self._gratings, chance)
        labels = self._labels_of(layout)
        if split == "train":
            labels = {
                name: value
                for name, value in labels.items()
                if chance.random() >= self.settings.missing
            }
        return Sample(image, labels)

    def locate(self, split: str, index: int) -> str:
        return f"scenes {split} {index} (seed {self._seed})"

    def _labels_of(self, layout: Layout) -> dict[str, RawLabel]:
        things = layout.things
        classes = [self._rules.mask_class(thing.shape, thing.texture) for thing in things]
        shapes = np.array([thing.shape for thing in things], np.int64)
        return {
            "scene": layout.scene,
            "objects": Boxes(layout.boxes(), shapes, np.zeros(len(things), np.bool_)),
            # Owner -1, the background, picks the last entry.
            "shapes": np.array([*classes, 0], np.uint8)[layout.owner],
        }


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Scenes]]:
    """The source ``scenes``."""
    return [Scenes]
