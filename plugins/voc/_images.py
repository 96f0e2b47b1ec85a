"""Images of a devkit, from lists of names or from the XML files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtlsearch.plugin import (
    IMAGE_SUFFIXES,
    DataError,
    list_images,
    read_text,
    read_xml,
    require_unique,
    resolve_path,
)

SPLITS = ("train", "val", "test")
WITH_FLAG = re.compile(r"(?P<name>.*\S)\s+(-1|0|1)")
"""Line of the list of a single class: a name and whether the class occurs in the image."""


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One image.

    Attributes:
        name: path below the folder of the images, without suffix; XML file and mask have it too.
        path: the image.
        place: where the image is named: a line of a list or an XML file.
    """

    name: str
    path: Path
    place: str


@dataclass(frozen=True)
class ImageFolder:
    """Folder of the images.

    Attributes:
        root: folder of the devkit.
        folder: folder of the images.
    """

    root: Path
    folder: Path
    _names: dict[Path, Mapping[str, list[Path]]] = field(default_factory=dict, repr=False)

    def find(self, text: str, place: str) -> list[Path]:
        """Return the images that a line of a list names.

        Args:
            text: name with or without suffix, or a path that starts from the folder of the
                images, from the root or from a folder above.
            place: where the image is named.

        Returns:
            The image; none if no such image exists, several if they differ in their suffix only
            and the text has none.

        Raises:
            DataError: the name is too long.
        """
        text = text.replace("\\", "/")
        _, is_below, below = text.rpartition(f"/{self.folder.name}/")
        # Raises an error if the name is too long.
        resolve_path(self.folder, f"{text}.jpeg", where=place)
        paths = [self.folder / text, self.root / text]
        paths += [self.folder / below] if is_below else []
        paths += [self.folder / Path(text).name]
        for path in paths:
            if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
                return [path]
            # A name without suffix; it can contain dots.
            if images := self._images_in(path.parent).get(path.name):
                return images
        return []

    def entry(self, texts: Sequence[str], place: str) -> ImageEntry:
        """Return the image that one of several texts names.

        Args:
            texts: possible names, the most probable one last.
            place: where the image is named.

        Returns:
            The image. If no image exists, the path is the expected one of the last name.

        Raises:
            DataError: a name without suffix is that of several images.
        """
        images = next((images for text in texts if (images := self.find(text, place))), [])
        if len(images) > 1:
            raise _ambiguous([path.name for path in images], images[0], place)
        path = images[0] if images else None
        if path is None:
            text = texts[-1].replace("\\", "/")
            has_suffix = Path(text).suffix.lower() in IMAGE_SUFFIXES
            path = self.folder / (text if has_suffix else f"{text}.jpg")
        is_below = path.is_relative_to(self.folder)
        name = path.relative_to(self.folder) if is_below else Path(path.name)
        return ImageEntry(name.with_suffix("").as_posix(), path, place)

    def _images_in(self, folder: Path) -> Mapping[str, list[Path]]:
        """Return the images in a folder by name without suffix."""
        if folder not in self._names:
            names: dict[str, list[Path]] = {}
            for path in sorted(folder.iterdir()) if folder.is_dir() else []:
                if path.suffix.lower() in IMAGE_SUFFIXES:
                    names.setdefault(path.stem, []).append(path)
            self._names[folder] = names
        return self._names[folder]


def _ambiguous(names: Sequence[str], image: Path, place: str) -> DataError:
    return DataError(
        f"{place} names {len(names)} images, which differ in their suffix only: "
        f"{' and '.join(names)}",
        where=str(image.parent),
        next_step="remove or rename all but one of them, or name one with its suffix in the list "
        "or in `<filename>`",
    )


def read_lists(
    folder: ImageFolder, image_sets: Path, name: str
) -> tuple[dict[str, list[ImageEntry]], list[str]]:
    """Read the lists of images of all splits.

    Args:
        folder: the folder of the images.
        image_sets: folder of the folders with lists.
        name: folder of ``train.txt``, ``val.txt`` and ``test.txt``.

    Returns:
        The images by split, and the lines as written. A split without a list is empty.

    Raises:
        DataError: a list is not in UTF-8, an image is listed twice, or there are only lists with
            other names or in other folders.
    """
    lists = image_sets / name
    paths = {split: lists / f"{split}.txt" for split in SPLITS}
    entries: dict[str, list[ImageEntry]] = {}
    lines: list[str] = []
    for split, path in paths.items():
        text = read_text(path, what="list of images") if path.is_file() else ""
        rows = [(row, line.strip()) for row, line in enumerate(text.split("\n"), 1) if line.strip()]
        entries[split] = [folder.entry(_names(line), f"{path} line {row}") for row, line in rows]
        lines += [line for _, line in rows]
    others = sorted(str(path.relative_to(image_sets)) for path in image_sets.rglob("*.txt"))
    if others and not lines:
        raise DataError(
            "there is no list of images for train, val or test",
            where=str(lists),
            allowed=[path.name for path in paths.values()],
            next_step=f"set `image_set` of the source to a folder in ImageSets with these lists "
            f"(there are {', '.join(others[:3])}), or to null to use every XML file",
        )
    images = [entry for split in SPLITS for entry in entries[split]]
    _require_unique(images, lists)
    _require_one_suffix(images, lists)
    return entries, lines


def images_of_xml(folder: ImageFolder, annotations: Path) -> list[ImageEntry]:
    """Return the images of all XML files in a folder and in the folders below.

    Args:
        folder: the folder of the images.
        annotations: the folder of the XML files.

    Returns:
        The images in the order of the sorted XML files. The image has the name of its XML file,
        or that in ``<filename>``.

    Raises:
        DataError: two XML files belong to the same image, an XML file belongs to several images,
            or a file is not XML.
    """
    entries = []
    for path in sorted(annotations.rglob("*.xml")):
        name = path.relative_to(annotations).with_suffix("").as_posix()
        texts = [name]
        if len(folder.find(name, str(path))) != 1:
            file_name = (read_xml(path, str(path)).findtext("filename") or "").strip()
            texts = [file_name, name] if file_name else texts
        entry = folder.entry(texts, str(path))
        entries.append(ImageEntry(name, entry.path, entry.place))
    _require_unique(entries, annotations)
    return entries


def unlabeled_warnings(folder: Path, entries: Sequence[ImageEntry]) -> list[str]:
    """Return a warning about images to which no XML file belongs.

    Args:
        folder: folder of the images.
        entries: the images of the XML files.

    Returns:
        At most one message.
    """
    used = {entry.path for entry in entries}
    unused = [path for path in list_images(folder) if path not in used] if entries else []
    if not unused:
        return []
    return [
        f"{len(unused)} image(s) in {folder} have no XML file and are not used, such as {unused[0]}"
    ]


def _names(line: str) -> list[str]:
    """Return the possible names in a line: all of it, and without the flag of a class."""
    match = WITH_FLAG.fullmatch(line)
    return [line, match["name"]] if match else [line]


def _require_unique(entries: Sequence[ImageEntry], where: Path) -> None:
    require_unique(
        "image",
        [str(entry.path) for entry in entries],
        lambda index: entries[index].place,
        where=str(where),
        next_step="name each image once, in one split",
    )


def _require_one_suffix(entries: Sequence[ImageEntry], where: Path) -> None:
    """Check that no two images have the same XML file and mask."""
    require_unique(
        "image name",
        [entry.name for entry in entries],
        lambda index: f"{entries[index].path.name} ({entries[index].place})",
        where=str(where),
        next_step="remove or rename one of the images; XML files and masks belong to an image by "
        "its name without suffix",
    )
