"""Source of Ultralytics YOLO data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mtlsearch.plugin import (
    Boxes,
    DataError,
    DatasetSource,
    Form,
    LabelSpec,
    RawLabel,
    Sample,
    hookimpl,
    read_image,
    require_unique,
)

from ._data_file import DataFile
from ._objects import YoloObject, draw_mask, read_objects
from ._settings import YoloSettings

BACKGROUND, VOID = "background", 255
"""Name of class 0 of a mask, and its void value."""


class Yolo(DatasetSource[YoloSettings]):
    """A data set of Ultralytics YOLO; see :mod:`mtlsearch_plugins.yolo`.

    Args:
        settings: options of the source.
        root: folder of the data set.
        seed: not used.

    Raises:
        DataError: the data file is missing or malformed, a class or an image occurs twice, a
            label file belongs to two images, or all images or all label files are missing.
    """

    name = "yolo"
    summary = "Ultralytics YOLO: data.yaml, images, labels as txt with boxes or polygons"
    label_summary = (
        "`boxes` (boxes); with `segmentation: true`, `segmentation` (mask); with `presence: true`, "
        "`classes` (categories)"
    )
    Settings = YoloSettings

    def __init__(self, settings: YoloSettings, *, root: Path, seed: int) -> None:
        self.settings = settings
        self._data = DataFile.read(root / settings.file)
        classes = self._data.classes
        if settings.segmentation and (BACKGROUND in classes or len(classes) >= VOID):
            raise DataError(
                f"a mask needs less than {VOID} classes, none of which is {BACKGROUND!r}",
                where=str(self._data.path),
                next_step="set `segmentation` of the source to false, or change `names`",
            )
        self._warnings = [*self._data.warnings, *self._unlabeled()]
        self._require_own_labels()

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        classes = self._data.classes
        labels: dict[str, LabelSpec] = {}
        if self.settings.boxes:
            labels["boxes"] = LabelSpec(Form.BOXES, classes)
        if self.settings.segmentation:
            labels["segmentation"] = LabelSpec(Form.MASK, (BACKGROUND, *classes), ignore_index=VOID)
        if self.settings.presence:
            labels["classes"] = LabelSpec(Form.CATEGORIES, classes)
        return labels

    @property
    def warnings(self) -> Sequence[str]:
        return self._warnings

    def size(self, split: str) -> int:
        return len(self._data.images.get(split, ()))

    def read(self, split: str, index: int) -> Sample:
        path, where = self._path(split, index), self.locate(split, index)
        image = read_image(path, where)
        file = label_file(path)
        objects: list[YoloObject] = []
        if file.is_file():
            num_classes = len(self._data.classes)
            objects = read_objects(file, num_classes, self._data.num_keypoint_values, where)
        return Sample(image, self._labels_of(objects, image.size))

    def files(self, split: str, index: int) -> Sequence[Path]:
        path = self._path(split, index)
        return [self._data.path, path, label_file(path)]

    def written_labels(self, split: str, index: int) -> bytes:
        file = label_file(self._path(split, index))
        return file.read_bytes().replace(b"\r\n", b"\n") if file.is_file() else b""

    def locate(self, split: str, index: int) -> str:
        return f"{self._data.path} {split}[{index}] ({self._path(split, index)})"

    def _path(self, split: str, index: int) -> Path:
        if not 0 <= index < self.size(split):
            raise IndexError(f"split {split!r} has {self.size(split)} images, got index {index}")
        return self._data.images[split][index]

    def _unlabeled(self) -> list[str]:
        """Return a warning for each split in which images have no label file.

        Raises:
            DataError: no image of ``train`` or ``val`` has one.
        """
        messages = []
        for split in ("train", "val"):
            images = self._data.images[split]
            missing = [path for path in images if not label_file(path).is_file()]
            if missing and len(missing) == len(images):
                raise DataError(
                    f"none of the {len(images)} {split!r} images has a label file, such as "
                    f"{label_file(missing[0])}",
                    where=str(self._data.path),
                    next_step="put the label files into a folder `labels` beside the folder "
                    "`images`, with the same names and folders below",
                )
            if missing:
                messages.append(
                    f"{len(missing)} of {len(images)} {split!r} images have no label file and "
                    f"count as images without objects, such as {missing[0]}"
                )
        return messages

    def _require_own_labels(self) -> None:
        """Check that no label file belongs to several images, such as ``a.jpg`` and ``a.png``."""
        listed = [path for images in self._data.images.values() for path in images]
        images = [path for path in dict.fromkeys(listed) if label_file(path).is_file()]
        require_unique(
            "label file",
            [str(label_file(path)) for path in images],
            lambda index: str(images[index]),
            where=str(self._data.path),
            next_step="remove or rename all but one of these images; a label file belongs to an "
            "image by its name without suffix",
        )

    def _labels_of(
        self, objects: Sequence[YoloObject], size: tuple[int, int]
    ) -> dict[str, RawLabel]:
        width, height = size
        labels: dict[str, RawLabel] = {}
        if self.settings.boxes:
            fractions = np.array([item.xyxy for item in objects], np.float64).reshape(-1, 4)
            labels["boxes"] = Boxes(
                (fractions * [width, height, width, height]).astype(np.float32),
                np.array([item.index for item in objects], np.int64),
                np.zeros(len(objects), np.bool_),
            )
        if self.settings.segmentation and all(item.polygon for item in objects):
            labels["segmentation"] = draw_mask(objects, (height, width))
        if self.settings.presence:
            labels["classes"] = tuple(sorted({item.index for item in objects}))
        return labels


def label_file(image: Path) -> Path:
    """Return the label file of an image, which can be missing.

    Args:
        image: the image.

    Returns:
        The path with the last folder ``images`` replaced by ``labels`` and the suffix ``.txt``, or
        the file beside the image if only that exists.
    """
    beside = image.with_suffix(".txt")
    parts = list(beside.parts)
    for row in range(len(parts) - 2, -1, -1):
        if parts[row] == "images":
            parts[row] = "labels"
            break
    path = Path(*parts)
    return beside if beside.is_file() and not path.is_file() else path


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Yolo]]:
    """Register the source ``yolo``."""
    return [Yolo]
