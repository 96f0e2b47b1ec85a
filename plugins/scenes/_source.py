"""Source of generated scenes."""

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

from ._layout import Layout, sample_layout
from ._paint import paint
from ._rules import SHAPES, Rules
from ._textures import gratings, textures

SPLITS = ("train", "val", "test")


class ScenesSettings(Settings):
    """Options of the source ``scenes``."""

    train: NonNegativeInt = Field(480, description="number of training images")
    val: NonNegativeInt = Field(160, description="number of validation images")
    test: NonNegativeInt = Field(160, description="number of test images")
    image_size: int = Field(64, ge=32, description="side of the images in pixels")
    relatedness: float = Field(
        0.5,
        ge=0,
        le=1,
        description="1: all tasks depend on shapes; 0: each task depends on another property",
    )
    missing: float = Field(
        0.0, ge=0, le=1, description="fraction of training labels that are missing, at random"
    )
    seed_offset: NonNegativeInt = Field(
        0, description="number added to the seed of the run, for other images of the same kind"
    )


class Scenes(DatasetSource[ScenesSettings]):
    """Generated scenes; see :mod:`mtlsearch_plugins.scenes`.

    Args:
        settings: options of the source.
        root: not used.
        seed: seed of the run.
    """

    name = "scenes"
    summary = "generated images of textured shapes, with a scene, boxes and masks; no files"
    label_summary = "`scene` (category), `objects` (boxes), `shapes` (mask)"
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
            raise IndexError(f"split {split!r} has {self.size(split)} images, got index {index}")
        rng = np.random.default_rng([self._seed, SPLITS.index(split), index])
        layout = sample_layout(self._rules, self.settings.image_size, rng)
        image = paint(layout, self._textures, self._gratings, rng)
        labels = self._labels_of(layout)
        if split == "train":
            labels = {
                name: value
                for name, value in labels.items()
                if rng.random() >= self.settings.missing
            }
        return Sample(image, labels)

    def locate(self, split: str, index: int) -> str:
        return f"scenes {split} {index} (seed {self._seed})"

    def _labels_of(self, layout: Layout) -> dict[str, RawLabel]:
        objects = layout.objects
        classes = [self._rules.mask_class(item.shape, item.texture) for item in objects]
        shapes = np.array([item.shape for item in objects], np.int64)
        return {
            "scene": layout.scene,
            "objects": Boxes(layout.boxes(), shapes, np.zeros(len(objects), np.bool_)),
            # Owner -1, the background, selects the last entry.
            "shapes": np.array([*classes, 0], np.uint8)[layout.owner],
        }


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Scenes]]:
    """Register the source ``scenes``."""
    return [Scenes]
