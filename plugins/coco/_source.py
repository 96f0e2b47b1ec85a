"""The source of COCO files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from mtlsearch.plugin import (
    Boxes,
    DataError,
    DatasetSource,
    Form,
    LabelSpec,
    RawLabel,
    Sample,
    Settings,
    hookimpl,
    read_image,
)

from ._index import Annotation, ImageEntry, Index
from ._masks import VOID, paint_mask


class CocoSettings(Settings):
    """Where the files lie and which labels to make of them."""

    train: Path | None = Field(None, description="instances JSON to train on")
    val: Path | None = Field(None, description="instances JSON to validate on")
    test: Path | None = Field(None, description="instances JSON for the last test")
    images: Path | dict[str, Path] = Field(
        Path(), description="folder that file names start from, or one a split"
    )
    boxes: bool = Field(True, description="a label `boxes`")
    segmentation: bool = Field(False, description="a label `segmentation`, from the instances")
    presence: bool = Field(False, description="a label `classes`: which classes an image shows")
    drop_empty: bool = Field(
        False, description="leave out boxes of no area (COCO has some) instead of reporting them"
    )


class Coco(DatasetSource[CocoSettings]):
    """Instances JSON; see :mod:`mtlsearch_plugins.coco`."""

    name = "coco"
    summary = "COCO instances JSON: boxes, crowd regions, masks from polygons or run lengths"
    Settings = CocoSettings

    def __init__(self, settings: CocoSettings, *, root: Path, seed: int) -> None:
        self.settings = settings
        self._root = root
        named = {"train": settings.train, "val": settings.val, "test": settings.test}
        self._index = {
            split: Index.read(root / path) for split, path in named.items() if path is not None
        }
        if not self._index:
            raise DataError("no annotation file is named", where=str(root), allowed=list(named))
        categories = [index.categories for index in self._index.values()]
        for index in self._index.values():
            if index.categories != categories[0]:
                raise DataError(
                    "its categories are not those of the other splits", where=str(index.path)
                )
        self._classes = tuple(category.name for category in categories[0])
        self._class_of = {category.id: at for at, category in enumerate(categories[0])}
        if len(self._classes) >= VOID and settings.segmentation:
            raise DataError(f"{len(self._classes)} classes are too many for a mask of 8 bits")
        # Images of `test` may lie elsewhere: nothing reads them.
        for split in ("train", "val"):
            self._require_images(split)

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        labels: dict[str, LabelSpec] = {}
        if self.settings.boxes:
            labels["boxes"] = LabelSpec(Form.BOXES, self._classes)
        if self.settings.segmentation:
            masks = LabelSpec(Form.MASK, ("background", *self._classes), ignore_index=VOID)
            labels["segmentation"] = masks
        if self.settings.presence:
            labels["classes"] = LabelSpec(Form.CATEGORIES, self._classes)
        return labels

    def size(self, split: str) -> int:
        return len(self._index[split].images) if split in self._index else 0

    def read(self, split: str, index: int) -> Sample:
        entry, where = self._entry(split, index), self.locate(split, index)
        image = read_image(self._image_path(split, entry), where)
        if image.size != (entry.width, entry.height):
            raise DataError(
                f"the JSON says the image is {entry.width} x {entry.height} pixels, "
                f"it is {image.width} x {image.height}",
                where=where,
            )
        annotations = self._index[split].annotations[entry.id]
        for one in annotations:
            if one.category_id not in self._class_of:
                raise DataError(
                    f"annotation {one.id} is of unknown category {one.category_id}",
                    where=where,
                    allowed=[str(key) for key in self._class_of],
                )
        return Sample(image, self._labels_of(annotations, (entry.height, entry.width), where))

    def files(self, split: str, index: int) -> Sequence[Path]:
        return [self._index[split].path, self._image_path(split, self._entry(split, index))]

    def locate(self, split: str, index: int) -> str:
        entry = self._entry(split, index)
        path = self._image_path(split, entry)
        return f"{self._index[split].path} images[{index}] ({path})"

    def _entry(self, split: str, index: int) -> ImageEntry:
        if not 0 <= index < self.size(split):
            raise IndexError(f"split {split!r} has {self.size(split)} images, none is {index}")
        return self._index[split].images[index]

    def _image_path(self, split: str, entry: ImageEntry) -> Path:
        return self._folder(split) / entry.file_name

    def _folder(self, split: str) -> Path:
        folder = self.settings.images
        own = folder.get(split, Path()) if isinstance(folder, dict) else folder
        return self._root / own

    def _require_images(self, split: str) -> None:
        """Be sure that the folder of a split's images is the right one.

        Raises:
            DataError: it is not there, or it has none of them.
        """
        entries = self._index[split].images if split in self._index else ()
        if not entries or any(self._image_path(split, entry).is_file() for entry in entries):
            return
        folder = self._folder(split)
        raise DataError(
            f"none of the {len(entries)} {split!r} images is there"
            if folder.is_dir()
            else f"the folder of the {split!r} images is missing",
            where=str(folder),
            next_step="set the source's `images` to the folder, below its `root`, that file names "
            f"such as {entries[0].file_name!r} start from",
        )

    def _labels_of(
        self, annotations: Sequence[Annotation], size: tuple[int, int], where: str
    ) -> dict[str, RawLabel]:
        labels: dict[str, RawLabel] = {}
        if self.settings.boxes:
            labels["boxes"] = self._boxes(annotations)
        complete = all(one.segmentation for one in annotations)
        if self.settings.segmentation and complete:
            labels["segmentation"] = paint_mask(annotations, self._class_of, size, where)
        if self.settings.presence:
            shown = {self._class_of[one.category_id] for one in annotations if not one.iscrowd}
            labels["classes"] = tuple(sorted(shown))
        return labels

    def _boxes(self, annotations: Sequence[Annotation]) -> Boxes:
        kept = [
            one
            for one in annotations
            if not self.settings.drop_empty or (one.bbox[2] > 0 and one.bbox[3] > 0)
        ]
        xyxy = np.array([one.bbox for one in kept], np.float32).reshape(-1, 4)
        xyxy[:, 2:] += xyxy[:, :2]
        return Boxes(
            xyxy,
            np.array([self._class_of[one.category_id] for one in kept], np.int64),
            np.array([one.iscrowd for one in kept], np.bool_),
        )


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Coco]]:
    """The source ``coco``."""
    return [Coco]
