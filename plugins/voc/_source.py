"""The source of devkits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from pydantic import Field

from mtlsearch.plugin import (
    Boxes,
    BoxXml,
    DataError,
    DatasetSource,
    Form,
    LabelSpec,
    RawLabel,
    Sample,
    Settings,
    hookimpl,
    read_image,
    read_plane,
)

SPLITS = ("train", "val", "test")
SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")


class VocSettings(Settings):
    """Which labels to take from a devkit."""

    classes: tuple[str, ...] | None = Field(
        None, description="class names in the order of the masks; null: read from the XML, sorted"
    )
    boxes: bool = Field(True, description="read boxes from Annotations")
    segmentation: bool | None = Field(
        None, description="read masks from SegmentationClass; null: where the folder exists"
    )
    presence: bool = Field(
        False, description="a label `classes`: which classes an image's boxes show"
    )
    image_set: str = Field("Main", description="folder of ImageSets whose lists are used")
    difficult: Literal["crowd", "keep"] = Field(
        "crowd",
        description="objects marked difficult: neither targets nor false positives, or ordinary",
    )
    one_based: bool = Field(
        True, description="pixels are counted from 1 and xmax, ymax lie inside, as VOC does"
    )


class Voc(DatasetSource[VocSettings]):
    """A devkit; see :mod:`mtlsearch_plugins.voc`."""

    name = "voc"
    summary = "PASCAL VOC devkit: JPEGImages, Annotations, SegmentationClass, ImageSets"
    Settings = VocSettings

    def __init__(self, settings: VocSettings, *, root: Path, seed: int) -> None:
        self.settings = settings
        self._root = root
        self._names = {split: self._read_list(split) for split in SPLITS}
        if not any(self._names.values()):
            raise DataError(
                "no list of images",
                where=str(root / "ImageSets" / settings.image_set),
                allowed=[f"{split}.txt" for split in SPLITS],
                next_step="set `root` to the folder that holds ImageSets and JPEGImages",
            )
        self._require_folder("JPEGImages")
        if settings.segmentation:
            self._require_folder("SegmentationClass")
        self._classes = settings.classes or self._found_classes()
        masks = settings.segmentation
        self._masks = (root / "SegmentationClass").is_dir() if masks is None else masks

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        labels: dict[str, LabelSpec] = {}
        if self.settings.boxes:
            labels["boxes"] = LabelSpec(Form.BOXES, self._classes)
        if self._masks:
            labels["segmentation"] = LabelSpec(Form.MASK, ("background", *self._classes))
        if self.settings.presence:
            labels["classes"] = LabelSpec(Form.CATEGORIES, self._classes)
        return labels

    def size(self, split: str) -> int:
        return len(self._names.get(split, ()))

    def read(self, split: str, index: int) -> Sample:
        name, where = self._name(split, index), self.locate(split, index)
        image = read_image(self._image_path(name), where)
        labels: dict[str, RawLabel] = {}
        xml = self._root / "Annotations" / f"{name}.xml"
        if (self.settings.boxes or self.settings.presence) and xml.exists():
            labels |= self._from_xml(BoxXml.read(xml, where), image.size, where)
        mask = self._root / "SegmentationClass" / f"{name}.png"
        if self._masks and mask.exists():
            labels["segmentation"] = read_plane(mask, where)
        return Sample(image, labels)

    def files(self, split: str, index: int) -> Sequence[Path]:
        name = self._name(split, index)
        xml = self._root / "Annotations" / f"{name}.xml"
        mask = self._root / "SegmentationClass" / f"{name}.png"
        return [self._image_path(name), xml, *([mask] if self._masks else [])]

    def locate(self, split: str, index: int) -> str:
        image = self._image_path(self._name(split, index))
        return f"{self._list_path(split)} line {self._names[split][index][0]} ({image})"

    def _from_xml(self, xml: BoxXml, size: tuple[int, int], where: str) -> dict[str, RawLabel]:
        boxes: Boxes = xml.boxes(
            self._classes,
            image_size=size,
            where=where,
            one_based=self.settings.one_based,
            difficult_is_crowd=self.settings.difficult == "crowd",
        )
        labels: dict[str, RawLabel] = {}
        if self.settings.boxes:
            labels["boxes"] = boxes
        if self.settings.presence:
            labels["classes"] = tuple(sorted({int(at) for at in boxes.classes[~boxes.crowd]}))
        return labels

    def _require_folder(self, name: str) -> None:
        if not (self._root / name).is_dir():
            raise DataError(
                f"the devkit has no folder {name}",
                where=str(self._root),
                next_step="set `root` to the folder that holds ImageSets and JPEGImages"
                if name == "JPEGImages"
                else "leave `segmentation: true` out, or put the masks there",
            )

    def _list_path(self, split: str) -> Path:
        return self._root / "ImageSets" / self.settings.image_set / f"{split}.txt"

    def _read_list(self, split: str) -> list[tuple[int, str]]:
        """Line number and name of every image of a split."""
        path = self._list_path(split)
        if not path.is_file():
            return []
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(
                f"the list is not in UTF-8: {error}", where=str(path), next_step="save it as UTF-8"
            ) from error
        # A class's own list has a second column, 1 or -1; the name comes first in all.
        return [(row, line.split()[0]) for row, line in enumerate(lines, 1) if line.strip()]

    def _name(self, split: str, index: int) -> str:
        if not 0 <= index < self.size(split):
            raise IndexError(f"split {split!r} has {self.size(split)} images, none is {index}")
        return self._names[split][index][1]

    def _image_path(self, name: str) -> Path:
        paths = [self._root / "JPEGImages" / f"{name}{suffix}" for suffix in SUFFIXES]
        return next((path for path in paths if path.is_file()), paths[0])

    def _found_classes(self) -> tuple[str, ...]:
        names = {name for rows in self._names.values() for _, name in rows}
        found: set[str] = set()
        for name in names:
            found |= _class_names(self._root / "Annotations" / f"{name}.xml")
        if not found:
            raise DataError(
                "no XML names a class",
                where=str(self._root / "Annotations"),
                next_step="name the classes: `classes: [cat, dog]`",
            )
        return tuple(sorted(found))


def _class_names(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        # Reading the image reports it, together with whatever else is wrong in other files.
        return set()
    names = {(item.findtext("name") or "").strip() for item in root.iter("object")}
    return names - {""}


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Voc]]:
    """The source ``voc``."""
    return [Voc]
