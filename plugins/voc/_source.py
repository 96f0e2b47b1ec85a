"""Source of PASCAL VOC devkits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mtlsearch.plugin import (
    Boxes,
    BoxXml,
    DataError,
    DatasetSource,
    Form,
    LabelSpec,
    MaskValues,
    RawLabel,
    Sample,
    backslash_warnings,
    hookimpl,
    read_image,
    read_plane,
    read_xml,
    require_image_size,
)

from ._images import (
    SPLITS,
    ImageEntry,
    ImageFolder,
    images_of_xml,
    read_lists,
    unlabeled_warnings,
)
from ._settings import VocSettings

BACKGROUND = "background"
"""Name of class 0 of a mask."""


class Voc(DatasetSource[VocSettings]):
    """A PASCAL VOC devkit; see :mod:`mtlsearch_plugins.voc`.

    Args:
        settings: options of the source.
        root: folder of the devkit.
        seed: not used.

    Raises:
        DataError: a folder, all images or all lists and XML files are missing, an image is named
            twice, or no class is found.
    """

    name = "voc"
    summary = "PASCAL VOC XML: images, Annotations, SegmentationClass, with or without ImageSets"
    label_summary = (
        "`boxes` (boxes); `segmentation` (mask) if there are masks; with `presence: true`, "
        "`classes` (categories)"
    )
    Settings = VocSettings

    def __init__(self, settings: VocSettings, *, root: Path, seed: int) -> None:
        self.settings = settings
        self._root = root
        self._annotations, self._masks = root / settings.annotations, root / settings.masks
        self._warnings: list[str] = []
        self._images = self._find_images()
        if settings.segmentation:
            self._require_masks()
        has_masks = settings.segmentation
        self._has_masks = self._masks.is_dir() if has_masks is None else has_masks
        self._require_images()
        self._classes = settings.classes or self._read_classes()
        if self._has_masks and BACKGROUND in self._classes:
            raise DataError(
                f"a class is named {BACKGROUND!r}, which is the name of class 0 of a mask",
                where=str(root),
                next_step=f"remove {BACKGROUND!r} from `classes` of the source, or set "
                "`segmentation: false`",
            )
        mask_classes = (BACKGROUND, *self._classes)
        self._values = MaskValues.of(settings.values, mask_classes, where=f"{root} `values`")

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        labels: dict[str, LabelSpec] = {}
        named = self.settings.classes or ()
        if self.settings.boxes:
            labels["boxes"] = LabelSpec(Form.BOXES, self._classes, named_classes=named)
        if self._has_masks:
            classes = (BACKGROUND, *self._classes)
            labels["segmentation"] = LabelSpec(Form.MASK, classes, named_classes=named)
        if self.settings.presence:
            labels["classes"] = LabelSpec(Form.CATEGORIES, self._classes, named_classes=named)
        return labels

    @property
    def warnings(self) -> Sequence[str]:
        return self._warnings

    def size(self, split: str) -> int:
        return len(self._images.get(split, ()))

    def read(self, split: str, index: int) -> Sample:
        entry, where = self._entry(split, index), self.locate(split, index)
        image = read_image(entry.path, where)
        labels: dict[str, RawLabel] = {}
        xml, mask = self._label_files(entry)
        if (self.settings.boxes or self.settings.presence) and xml.exists():
            labels |= self._from_xml(BoxXml.read(xml, where), entry.path, image.size, where)
        if self._has_masks and mask.exists():
            labels["segmentation"] = self._values.apply(read_plane(mask, where), where)
        return Sample(image, labels)

    def files(self, split: str, index: int) -> Sequence[Path]:
        entry = self._entry(split, index)
        xml, mask = self._label_files(entry)
        return [entry.path, xml, *([mask] if self._has_masks else [])]

    def written_labels(self, split: str, index: int) -> bytes:
        xml, _ = self._label_files(self._entry(split, index))
        return xml.read_bytes().replace(b"\r\n", b"\n") if xml.is_file() else b""

    def locate(self, split: str, index: int) -> str:
        entry = self._entry(split, index)
        return f"{entry.place} ({entry.path})"

    def _from_xml(
        self, xml: BoxXml, path: Path, size: tuple[int, int], where: str
    ) -> dict[str, RawLabel]:
        if self.settings.size == "check":
            require_image_size(
                path,
                size,
                xml.stated_size(where),
                origin="the XML",
                where=where,
                next_step="set `size: from_image` of the source if boxes are pixels of these "
                "images, or `size: rescale` if they are pixels of images of the size in the XML",
            )
        boxes: Boxes = xml.boxes(
            self._classes,
            image_size=size,
            where=where,
            one_based=self.settings.one_based,
            difficult_is_crowd=self.settings.difficult == "crowd",
            size=self.settings.size,
        )
        labels: dict[str, RawLabel] = {}
        if self.settings.boxes:
            labels["boxes"] = boxes
        if self.settings.presence:
            labels["classes"] = tuple(sorted({int(index) for index in boxes.classes[~boxes.crowd]}))
        return labels

    def _entry(self, split: str, index: int) -> ImageEntry:
        if not 0 <= index < self.size(split):
            raise IndexError(f"split {split!r} has {self.size(split)} images, got index {index}")
        return self._images[split][index]

    def _label_files(self, entry: ImageEntry) -> tuple[Path, Path]:
        """Return the XML file and the mask of an image, which can be missing."""
        return self._annotations / f"{entry.name}.xml", self._masks / f"{entry.name}.png"

    def _find_images(self) -> Mapping[str, Sequence[ImageEntry]]:
        """Return the images by split, from the lists or from the XML files."""
        lists = self._root / "ImageSets"
        images = self._root / self.settings.images
        folder = ImageFolder(self._root, images)
        by_split: Mapping[str, Sequence[ImageEntry]] = {}
        if self.settings.image_set is not None:
            by_split, lines = read_lists(folder, lists, self.settings.image_set)
            self._warnings += backslash_warnings(lines, str(lists))
        if not any(by_split.values()):
            by_split = {"train": images_of_xml(folder, self._annotations)}
            self._warnings += unlabeled_warnings(images, by_split["train"])
        next_step = (
            "set `root` to the folder that holds ImageSets and JPEGImages, or set `images` and "
            "`annotations` of the source to the folders of images and XML files"
        )
        if not any(by_split.values()):
            raise DataError(
                "ImageSets/Main has no train.txt or val.txt, and there is no XML file",
                where=f"{lists} and {self._annotations}",
                allowed=[f"{split}.txt" for split in SPLITS],
                next_step=next_step,
            )
        if not images.is_dir():
            raise DataError(
                f"the devkit has no folder {self.settings.images}",
                where=str(self._root),
                next_step=next_step,
            )
        return by_split

    def _require_masks(self) -> None:
        if not self._masks.is_dir():
            raise DataError(
                f"the devkit has no folder {self.settings.masks}",
                where=str(self._root),
                next_step="add the folder with the masks, set `masks` of the source to its name, "
                "or set `segmentation` to false",
            )

    def _require_images(self) -> None:
        """Check that at least one image of the train or val split exists."""
        entries = [entry for split in ("train", "val") for entry in self._images.get(split, ())]
        if entries and not any(entry.path.is_file() for entry in entries):
            raise DataError(
                f"none of the {len(entries)} images exists, such as {entries[0].path}",
                where=entries[0].place,
                next_step="set `images` of the source to the folder of the images. A list has one "
                "name per line, with or without suffix",
            )

    def _read_classes(self) -> tuple[str, ...]:
        """Return the classes in all XML files, sorted."""
        entries = [entry for entries in self._images.values() for entry in entries]
        files = [self._label_files(entry)[0] for entry in entries]
        existing = [path for path in files if path.is_file()]
        classes = sorted({name for path in existing for name in _class_names(path)})
        if not classes:
            raise DataError(
                "the XML files contain no class"
                if existing
                else f"none of the {len(files)} images has an XML file, such as {files[0]}",
                where=str(self._annotations),
                next_step="set `classes` of the source, such as `classes: [cat, dog]`"
                if existing
                else "set `annotations` of the source to the folder of the XML files, or `classes` "
                "if there are only masks",
            )
        return tuple(classes)


def _class_names(path: Path) -> set[str]:
    try:
        root = read_xml(path, str(path))
    except DataError:
        # The error is raised when the image is read, together with those of other files.
        return set()
    names = {(item.findtext("name") or "").strip() for item in root.iter("object")}
    return names - {""}


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Voc]]:
    """Register the source ``voc``."""
    return [Voc]
