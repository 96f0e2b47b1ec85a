"""Contents of ``data.yaml``: classes and images of each split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mtlsearch.plugin import (
    DataError,
    backslash_warnings,
    list_images,
    parse_yaml,
    read_text,
    require_below_root,
    require_unique,
    resolve_path,
)

SPLITS = ("train", "val", "test")
NEXT_STEP = "set `file` of the source to the YAML file, relative to its `root`"


@dataclass(frozen=True, slots=True)
class DataFile:
    """Contents of one file.

    Attributes:
        path: the file.
        classes: class names by index.
        images: images by split.
        num_keypoint_values: numbers per line after a box, for keypoints; 0 without keypoints.
        warnings: what was converted.
    """

    path: Path
    classes: tuple[str, ...]
    images: Mapping[str, tuple[Path, ...]]
    num_keypoint_values: int
    warnings: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> DataFile:
        """Read a file and list the images of its splits.

        Args:
            path: the YAML file.

        Returns:
            The contents.

        Raises:
            DataError: the file is missing or malformed, a class occurs twice, or the images of
                ``train`` or ``val`` are missing.
        """
        content = _load(path)
        classes = _classes(content, path)
        base = _base(content, path)
        lines: list[str] = []
        images = {}
        for split in SPLITS:
            entries = _as_list(content.get(split), split, path)
            listed = [
                image
                for entry in entries
                for image in _images(base, entry, split, lines, f"{path} {split}")
            ]
            require_unique(
                "image",
                [str(image) for image in listed],
                partial("{}[{}]".format, split),
                where=f"{path} {split}",
                next_step="list each image once",
            )
            images[split] = tuple(listed)
        warnings = [*backslash_warnings(lines, str(path)), *_shared(images)]
        return cls(path, classes, images, _keypoint_values(content), tuple(warnings))


def _load(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"the data file {kind}", where=str(path), next_step=NEXT_STEP)
    text = read_text(path, what="data file")
    content = parse_yaml(text, what="data file", where=str(path))
    if not isinstance(content, dict) or "names" not in content:
        raise DataError(
            "the data file must have the key `names`",
            where=str(path),
            allowed=("path", *SPLITS, "names"),
            next_step=NEXT_STEP,
        )
    return content


def _classes(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """Return the class names of a list, or of a mapping with the indices 0, 1, 2, ..."""
    names = content["names"]
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise DataError(
                f"the keys of `names` must be 0 to {len(names) - 1}, got {list(names)[:12]}",
                where=str(path),
                next_step="number `names` from 0 without gaps, as in the label files",
            )
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataError(
            f"`names` must be a list of class names, got {names!r}",
            where=str(path),
            next_step="write the class names as a list, such as `names: [person, car]`",
        )
    classes = tuple(str(name).strip() for name in names)
    require_unique(
        "class name",
        classes,
        lambda index: f"names[{index}]",
        where=str(path),
        next_step="rename one of the classes",
    )
    if content.get("nc") not in (None, len(classes)):
        raise DataError(
            f"`nc` must be the number of `names`, {len(classes)}, got {content['nc']}",
            where=str(path),
            next_step=f"add the missing names to `names`, or set `nc: {len(classes)}`, or remove "
            "`nc`",
        )
    return classes


def _keypoint_values(content: Mapping[str, Any]) -> int:
    """Return how many numbers of keypoints follow a box."""
    shape = content.get("kpt_shape")
    if not isinstance(shape, list) or [type(number) for number in shape] != [int, int]:
        return 0
    return int(shape[0] * shape[1])


def _base(content: Mapping[str, Any], file: Path) -> Path:
    """Return the folder that ``train``, ``val`` and ``test`` are relative to.

    Exports contain a ``path`` of the computer on which they were made. If it does not exist, it is
    the file's folder.
    """
    text = content.get("path")
    path = resolve_path(file.parent, str(text), where=f"{file} path") if text else file.parent
    return path if path.is_dir() else file.parent


def _as_list(value: object, split: str, path: Path) -> list[str]:
    entries = value if isinstance(value, list) else [value] if value else []
    if not all(isinstance(entry, str) for entry in entries):
        raise DataError(
            f"`{split}` must be a folder, a list of folders or a text file, got {value!r}",
            where=str(path),
        )
    return [str(entry) for entry in entries]


def _images(base: Path, entry: str, split: str, lines: list[str], where: str) -> Sequence[Path]:
    """Return the images of one folder or text file; its paths are added to ``lines``."""
    lines.append(entry)
    path = resolve_path(base, entry, where=where)
    above = entry.replace("\\", "/")
    if not path.exists() and above.startswith("../"):
        # Exports write "../train/images" for a folder beside the file.
        path = base / above.removeprefix("../")
    if path.exists():
        require_below_root(path, where)
    if path.is_dir():
        images: list[Path] = list_images(path)
    elif path.is_file():
        texts = read_text(path, what="list of images").splitlines()
        rows = [(row, text.strip()) for row, text in enumerate(texts, 1) if text.strip()]
        lines += [text for _, text in rows]
        # Paths that begin with "./" start from the list, as in Ultralytics.
        images = [
            resolve_path(
                path.parent if text.startswith("./") else base, text, where=f"{path} line {row}"
            )
            for row, text in rows
        ]
    else:
        images = []
    # Images of `test` can be missing, because nothing reads them.
    if split != "test" and not any(image.is_file() for image in images):
        what = f"none of the {len(images)} {split!r} images exists"
        if not path.exists():
            what = f"the folder of the {split!r} images does not exist"
        elif not images:
            what = f"there are no {split!r} images"
        raise DataError(
            what,
            where=str(path),
            next_step=f"correct `{split}` or `path` in the data file",
        )
    return images


def _shared(images: Mapping[str, Sequence[Path]]) -> list[str]:
    """Return a warning for each pair of splits with the same images."""
    messages = []
    for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
        shared = sorted(set(images[first]) & set(images[second]))
        if shared:
            messages.append(
                f"{len(shared)} image(s) are in {first!r} and in {second!r}, so that {second!r} "
                f"cannot measure generalization: such as {shared[0]}"
            )
    return messages
