"""Source of COCO instances files."""

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
    backslash_warnings,
    hookimpl,
    read_image,
    require_image_size,
    resolve_path,
)

from ._categories import Classes
from ._index import Annotation, ImageEntry, Index
from ._masks import VOID, draw_mask

BACKGROUND = "background"
"""Name of class 0 of a mask."""


class CocoSettings(Settings):
    """Options of the source ``coco``."""

    train: Path | None = Field(None, description="instances JSON file of the train split")
    val: Path | None = Field(None, description="instances JSON file of the val split")
    test: Path | None = Field(None, description="instances JSON file of the test split")
    images: Path | dict[str, Path] = Field(
        Path(), description="folder of the images, or one folder per split"
    )
    boxes: bool = Field(True, description="whether to read the label `boxes`")
    segmentation: bool = Field(
        False, description="whether to draw the label `segmentation` from the instances"
    )
    presence: bool = Field(
        False, description="whether to add the label `classes`: the classes that occur in an image"
    )
    drop_empty: bool = Field(
        False,
        description="whether to drop boxes that are empty or without area (COCO has some) instead "
        "of reporting them",
    )


class Coco(DatasetSource[CocoSettings]):
    """COCO instances; see :mod:`mtlsearch_plugins.coco`.

    Args:
        settings: options of the source.
        root: folder of the data set.
        seed: not used.

    Raises:
        DataError: a file is missing or malformed, an id or a name occurs twice, splits have
            different categories, or all images are missing.
    """

    name = "coco"
    summary = "COCO instances JSON: boxes, crowd regions, masks from polygons or run lengths"
    label_summary = (
        "`boxes` (boxes); with `segmentation: true`, `segmentation` (mask); with `presence: true`, "
        "`classes` (categories)"
    )
    example = "train: train.json, val: val.json, images: images"
    Settings = CocoSettings

    def __init__(self, settings: CocoSettings, *, root: Path, seed: int) -> None:
        self.settings = settings
        self._root = root
        paths = {"train": settings.train, "val": settings.val, "test": settings.test}
        self._index = {
            split: Index.read(root / path) for split, path in paths.items() if path is not None
        }
        if not self._index:
            raise DataError(
                "the source has no annotation file",
                where=str(root),
                allowed=list(paths),
                next_step="set `train` of the source to an instances JSON file",
            )
        classes = Classes.of(list(self._index.values()))
        self._classes, self._class_by_category = classes.names, classes.index_by_category
        if settings.boxes and not settings.drop_empty:
            for index in self._index.values():
                index.require_boxes()
        if settings.segmentation and BACKGROUND in self._classes:
            raise DataError(
                f"a category is named {BACKGROUND!r}, which is the name of class 0 of a mask",
                where=str(root),
                next_step="rename the category, or set `segmentation` of the source to false",
            )
        if len(self._classes) >= VOID and settings.segmentation:
            raise DataError(
                f"a mask supports at most {VOID - 1} classes, got {len(self._classes)}",
                where=str(root),
                next_step="set `segmentation` of the source to false",
            )
        names = [entry.file_name for index in self._index.values() for entry in index.images]
        self._warnings = (*classes.warnings, *backslash_warnings(names, str(root)))
        # Images of `test` can be missing, because nothing reads them.
        for split in ("train", "val"):
            self._require_images(split)

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        labels: dict[str, LabelSpec] = {}
        if self.settings.boxes:
            labels["boxes"] = LabelSpec(Form.BOXES, self._classes)
        if self.settings.segmentation:
            masks = LabelSpec(Form.MASK, (BACKGROUND, *self._classes), ignore_index=VOID)
            labels["segmentation"] = masks
        if self.settings.presence:
            labels["classes"] = LabelSpec(Form.CATEGORIES, self._classes)
        return labels

    @property
    def warnings(self) -> Sequence[str]:
        return self._warnings

    def size(self, split: str) -> int:
        return len(self._index[split].images) if split in self._index else 0

    def read(self, split: str, index: int) -> Sample:
        entry, where = self._entry(split, index), self.locate(split, index)
        image = read_image(self._image_path(split, entry), where)
        require_image_size(
            self._image_path(split, entry),
            image.size,
            (entry.width, entry.height),
            origin="the JSON",
            where=where,
            next_step="correct `width` and `height` in the JSON, or use the images that were "
            "annotated",
        )
        annotations = self._index[split].annotations[entry.id]
        for annotation in annotations:
            if annotation.category_id not in self._class_by_category:
                raise DataError(
                    f"annotation {annotation.id} has the `category_id` {annotation.category_id}, "
                    "which is not an id of `categories` in the file",
                    where=where,
                    allowed=[
                        f"{key} ({self._classes[index]})"
                        for key, index in self._class_by_category.items()
                    ],
                    next_step="correct `category_id`, or add an entry with this id and a name to "
                    "`categories`",
                )
        return Sample(image, self._labels_of(annotations, (entry.height, entry.width), where))

    def files(self, split: str, index: int) -> Sequence[Path]:
        return [self._index[split].path, self._image_path(split, self._entry(split, index))]

    def written_labels(self, split: str, index: int) -> bytes:
        annotations = self._index[split].annotations[self._entry(split, index).id]
        fields = {"category_id", "bbox", "iscrowd", "segmentation"}
        values = [repr(annotation.model_dump(include=fields)) for annotation in annotations]
        return "\n".join(sorted(values)).encode(errors="replace")

    def locate(self, split: str, index: int) -> str:
        entry = self._entry(split, index)
        path = self._image_path(split, entry)
        return f"{self._index[split].path} images[{index}] ({path})"

    def _entry(self, split: str, index: int) -> ImageEntry:
        if not 0 <= index < self.size(split):
            raise IndexError(f"split {split!r} has {self.size(split)} images, got index {index}")
        return self._index[split].images[index]

    def _image_path(self, split: str, entry: ImageEntry) -> Path:
        where = f"{self._index[split].path} images, id {entry.id!r}"
        return resolve_path(self._folder(split), entry.file_name, where=where)

    def _folder(self, split: str) -> Path:
        images = self.settings.images
        folder = images.get(split, Path()) if isinstance(images, dict) else images
        return self._root / folder

    def _require_images(self, split: str) -> None:
        """Check that at least one image of a split exists.

        Raises:
            DataError: the folder or all images are missing.
        """
        entries = self._index[split].images if split in self._index else ()
        if not entries or any(self._image_path(split, entry).is_file() for entry in entries):
            return
        folder = self._folder(split)
        raise DataError(
            f"none of the {len(entries)} {split!r} images exists"
            if folder.is_dir()
            else f"the folder of the {split!r} images does not exist",
            where=str(folder),
            next_step="set the source's `images` to the folder, relative to its `root`, that "
            f"contains file names such as {entries[0].file_name!r}"
            + (" (backslashes are read as '/')" if "\\" in entries[0].file_name else ""),
        )

    def _labels_of(
        self, annotations: Sequence[Annotation], size: tuple[int, int], where: str
    ) -> dict[str, RawLabel]:
        labels: dict[str, RawLabel] = {}
        if self.settings.boxes:
            labels["boxes"] = self._boxes(annotations, size, where)
        is_complete = all(annotation.segmentation for annotation in annotations)
        if self.settings.segmentation and is_complete:
            mask = draw_mask(annotations, self._class_by_category, size, where)
            labels["segmentation"] = mask
        if self.settings.presence:
            classes = {
                self._class_by_category[annotation.category_id]
                for annotation in annotations
                if not annotation.iscrowd
            }
            labels["classes"] = tuple(sorted(classes))
        return labels

    def _boxes(self, annotations: Sequence[Annotation], size: tuple[int, int], where: str) -> Boxes:
        kept = [
            annotation
            for annotation in annotations
            if not self.settings.drop_empty
            or (annotation.bbox is not None and min(annotation.bbox[2:]) > 0)
        ]
        xywh = np.array([annotation.bbox for annotation in kept], np.float32).reshape(-1, 4)
        xyxy = xywh.copy()
        xyxy[:, 2:] += xyxy[:, :2]
        height, width = size
        for annotation, (left, top, right, bottom) in zip(kept, xyxy.tolist(), strict=True):
            if min(left, top, width - right, height - bottom) < -1:
                raise DataError(
                    f"annotation {annotation.id}: `bbox` {_text(annotation)} leaves the image of "
                    f"{width} x {height} pixels",
                    where=where,
                    next_step="write `bbox` as left, top, width and height in pixels; if it is "
                    "left, top, right and bottom, subtract the first two numbers from the others",
                )
        return Boxes(
            xyxy,
            np.array([self._class_by_category[item.category_id] for item in kept], np.int64),
            np.array([item.iscrowd for item in kept], np.bool_),
        )


def _text(annotation: Annotation) -> str:
    return f"[{', '.join(f'{number:g}' for number in annotation.bbox or ())}]"


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Coco]]:
    """Register the source ``coco``."""
    return [Coco]
