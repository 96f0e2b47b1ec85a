"""Data set source in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from mtlsearch.config import DataConfig
from mtlsearch.data import DataModule, open_data
from mtlsearch.errors import DataError
from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample
from mtlsearch.plugin import DatasetSource, Settings

LABELS = {
    "kind": LabelSpec(Form.CATEGORY, ("a", "b", "c")),
    "tags": LabelSpec(Form.CATEGORIES, ("x", "y")),
    "boxes": LabelSpec(Form.BOXES, ("dog", "cat")),
    "mask": LabelSpec(Form.MASK, ("background", "thing")),
    "depth": LabelSpec(Form.MAP, unit="m"),
    "weight": LabelSpec(Form.NUMBER, unit="kg"),
}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Fake(DatasetSource[Settings]):
    """Source of given samples, by split."""

    name = "fake"
    summary = "Samples in memory"

    def __init__(
        self,
        splits: Mapping[str, Sequence[Sample | DataError]],
        labels: Mapping[str, LabelSpec] = LABELS,
        name: str = "fake",
    ) -> None:
        self._splits = splits
        self._labels = labels
        self._source_name = name
        self.reads = 0

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        return self._labels

    def size(self, split: str) -> int:
        return len(self._splits.get(split, ()))

    def read(self, split: str, index: int) -> Sample:
        self.reads += 1
        sample = self._splits[split][index]
        if isinstance(sample, DataError):
            raise sample
        return sample

    def locate(self, split: str, index: int) -> str:
        return f"{self._source_name} {split} row {index}"


def square(index: int = 0, *, size: tuple[int, int] = (60, 80), **changes: RawLabel) -> Sample:
    """Return an image of (height, width) with a bright block, which all labels describe."""
    height, width = size
    top, left, bottom, right = 12, 20, 42, 60
    pixels = np.full((height, width, 3), 20 + index % 60, np.uint8)
    pixels[top:bottom, left:right] = (230, 200, 160)
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 1
    depth = np.where(mask, 2.0, 5.0).astype(np.float32)[None]
    boxes = Boxes(
        np.array([[left, top, right, bottom]], np.float32), np.array([1]), np.array([False])
    )
    labels: dict[str, RawLabel] = {
        "kind": index % 3,
        "tags": (index % 2,),
        "boxes": boxes,
        "mask": mask,
        "depth": depth,
        "weight": 2.5 + index,
    }
    return Sample(Image.fromarray(pixels), {**labels, **changes})


def config(**keys: object) -> DataConfig:
    return DataConfig.model_validate({"sources": {"kind": "fake"}, "image_size": (48, 64), **keys})


def opened(*sources: DatasetSource, seed: int = 0, **keys: object) -> DataModule:
    return open_data(sources, config(**keys), mean=MEAN, std=STD, seed=seed)


def many(count: int, val: int = 4, test: int = 0) -> Fake:
    """Return a source whose splits contain squares."""
    return Fake(
        {
            "train": [square(index) for index in range(count)],
            "val": [square(100 + index) for index in range(val)],
            "test": [square(200 + index) for index in range(test)],
        }
    )
