"""Source of PASCAL VOC devkits."""

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
    """Options of the source ``voc``."""

    classes: tuple[str, ...] | None = Field(
        None,
        description="class names in the order of mask indices; null: those in the XML, sorted",
    )
    boxes: bool = Field(True, description="whether to read the label `boxes` from Annotations")
    segmentation: bool | None = Field(
        None,
        description="whether to read the label `segmentation` from SegmentationClass; null: if the "
        "folder exists",
    )
    presence: bool = Field(
        False, description="whether to add the label `classes`: the classes of an image's boxes"
    )
    image_set: str = Field("Main", description="folder in ImageSets with the lists of images")
    difficult: Literal["crowd", "keep"] = Field(
        "crowd",
        description="objects marked difficult: crowd: neither targets nor false positives; keep: "
        "normal boxes",
    )
    one_based: bool = Field(
        True, description="box XML counts pixels from 1 and includes xmax and ymax, as in VOC"
    )


class Voc(DatasetSource[VocSettings]):
    """A PASCAL VOC devkit; see :mod:`mtlsearch_plugins.voc`.

    Args:
        settings: options of the source.
        root: folder of the devkit.
        seed: not used.

    Raises:
        DataError: a folder or all lists of images are missing, or no class is found.
    """

    name = "voc"
    summary = "PASCAL VOC devkit: JPEGImages, Annotations, SegmentationClass, ImageSets"
    Settings = VocSettings

    def __init__(self, settings: VocSettings, *, root: Path, seed: int) -> None:
        self.settings = settings
        self._root = root
        self._names = {split: self._read_list(split) for split in SPLITS}
        if not any(self._names.values()):
            raise DataError(
                "the devkit has no list of images",
                where=str(root / "ImageSets" / settings.image_set),
                allowed=[f"{split}.txt" for split in SPLITS],
                next_step="set `root` to the folder that holds ImageSets and JPEGImages",
            )
        self._require_folder("JPEGImages")
        if settings.segmentation:
            self._require_folder("SegmentationClass")
        self._classes = settings.classes or self._read_classes()
        has_masks = settings.segmentation
        if has_masks is None:
            has_masks = (root / "SegmentationClass").is_dir()
        self._has_masks = has_masks

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        labels: dict[str, LabelSpec] = {}
        named = self.settings.classes or ()
        if self.settings.boxes:
            labels["boxes"] = LabelSpec(Form.BOXES, self._classes, named_classes=named)
        if self._has_masks:
            classes = ("background", *self._classes)
            labels["segmentation"] = LabelSpec(Form.MASK, classes, named_classes=named)
        if self.settings.presence:
            labels["classes"] = LabelSpec(Form.CATEGORIES, self._classes, named_classes=named)
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
        if self._has_masks and mask.exists():
            labels["segmentation"] = read_plane(mask, where)
        return Sample(image, labels)

    def files(self, split: str, index: int) -> Sequence[Path]:
        name = self._name(split, index)
        xml = self._root / "Annotations" / f"{name}.xml"
        mask = self._root / "SegmentationClass" / f"{name}.png"
        return [self._image_path(name), xml, *([mask] if self._has_masks else [])]

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
            labels["classes"] = tuple(sorted({int(index) for index in boxes.classes[~boxes.crowd]}))
        return labels

    def _require_folder(self, name: str) -> None:
        if not (self._root / name).is_dir():
            raise DataError(
                f"the devkit has no folder {name}",
                where=str(self._root),
                next_step="set `root` to the folder that holds ImageSets and JPEGImages"
                if name == "JPEGImages"
                else "add the folder with the masks, or set `segmentation` of the source to false",
            )

    def _list_path(self, split: str) -> Path:
        return self._root / "ImageSets" / self.settings.image_set / f"{split}.txt"

    def _read_list(self, split: str) -> list[tuple[int, str]]:
        """Return line number and name of every image of a split."""
        path = self._list_path(split)
        if not path.is_file():
            return []
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(
                f"the list of images is not in UTF-8: {error}",
                where=str(path),
                next_step="save it as UTF-8",
            ) from error
        # Lists of one class have a second column, 1 or -1, after the name.
        return [(row, line.split()[0]) for row, line in enumerate(lines, 1) if line.strip()]

    def _name(self, split: str, index: int) -> str:
        if not 0 <= index < self.size(split):
            raise IndexError(f"split {split!r} has {self.size(split)} images, got index {index}")
        return self._names[split][index][1]

    def _image_path(self, name: str) -> Path:
        paths = [self._root / "JPEGImages" / f"{name}{suffix}" for suffix in SUFFIXES]
        return next((path for path in paths if path.is_file()), paths[0])

    def _read_classes(self) -> tuple[str, ...]:
        """Return the classes in all XML files, sorted."""
        names = {name for rows in self._names.values() for _, name in rows}
        classes: set[str] = set()
        for name in names:
            classes |= _class_names(self._root / "Annotations" / f"{name}.xml")
        if not classes:
            raise DataError(
                "the XML files contain no class",
                where=str(self._root / "Annotations"),
                next_step="set `classes` of the source, such as `classes: [cat, dog]`",
            )
        return tuple(sorted(classes))


def _class_names(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        # The error is raised when the image is read, together with those of other files.
        return set()
    names = {(item.findtext("name") or "").strip() for item in root.iter("object")}
    return names - {""}


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Voc]]:
    """Register the source ``voc``."""
    return [Voc]
