"""Contents of an instances JSON file, validated."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from mtlsearch.plugin import DataError, parse_flag, parse_json, read_text, require_unique

EntryT = TypeVar("EntryT")


def _as_id(value: object) -> int | str:
    """Return an id; one that is a whole number is an int, also if it is written as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"an integer or text is expected, got {value!r}")
    text = value.strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"the text {text!r} contains half of a surrogate pair")
    return int(text) if text.removeprefix("-").isdecimal() else text


def _as_flag(value: object) -> bool:
    try:
        return parse_flag(value, name="iscrowd", where="")
    except DataError as error:
        # pydantic adds the entry to a ValueError.
        raise ValueError(f"{error.what} (allowed: {', '.join(error.allowed)})") from error


NOUNS = {"images": "image", "annotations": "annotation", "categories": "category"}

Id = Annotated[int | str, PlainValidator(_as_id)]
"""Integer or text that identifies an entry."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""Name without surrounding blanks."""


def _as_box(value: object) -> object:
    if isinstance(value, list) and len(value) not in (0, 4):
        raise ValueError(f"4 numbers are expected, got {value}")
    return value or None


Box = Annotated[tuple[float, float, float, float] | None, BeforeValidator(_as_box)]
"""Left, top, width, height in pixels; None if the list is empty or missing."""


class Category(BaseModel):
    """Entry of ``categories``."""

    model_config = ConfigDict(frozen=True)

    id: Id
    name: Name
    supercategory: str | None = None


class ImageEntry(BaseModel):
    """Entry of ``images``."""

    model_config = ConfigDict(frozen=True)

    id: Id
    file_name: Name
    width: int
    height: int


class Annotation(BaseModel):
    """Entry of ``annotations``; ``bbox`` is left, top, width, height in pixels."""

    model_config = ConfigDict(frozen=True)

    id: Id
    image_id: Id
    category_id: Id
    bbox: Box = None
    iscrowd: Annotated[bool, BeforeValidator(_as_flag)] = False
    segmentation: list[list[float]] | dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """Contents of one file.

    Attributes:
        path: the file.
        images: entries of the images, in the order of the file.
        annotations: annotations by image id.
        categories: categories in the order of the file.
    """

    path: Path
    images: tuple[ImageEntry, ...]
    annotations: Mapping[int | str, tuple[Annotation, ...]]
    categories: tuple[Category, ...]

    @classmethod
    def read(cls, path: Path) -> Index:
        """Read a file.

        Args:
            path: the JSON file.

        Returns:
            The contents.

        Raises:
            DataError: the file is missing or not JSON, a list or a key is missing, an id or a
                file name occurs twice, or an annotation refers to an unknown image.
        """
        content = _load(path)
        images = _entries(content, "images", TypeAdapter(list[ImageEntry]), path)
        annotations = _entries(content, "annotations", TypeAdapter(list[Annotation]), path)
        categories = _entries(content, "categories", TypeAdapter(list[Category]), path)
        lists: Mapping[str, Sequence[ImageEntry | Annotation | Category]] = {
            "images": images,
            "annotations": annotations,
            "categories": categories,
        }
        for key, entries in lists.items():
            require_unique(
                f"{NOUNS[key]} id",
                [entry.id for entry in entries],
                partial("{}[{}]".format, key),
                where=str(path),
                next_step="number the entries again; a merged file often repeats the ids of its "
                "parts",
            )
        require_unique(
            "file name",
            [_normalized(entry.file_name) for entry in images],
            lambda index: f"images[{index}], id {images[index].id!r}",
            where=str(path),
            next_step="keep one entry per image, and give all of its annotations the id of this "
            "entry",
        )
        by_image: dict[int | str, list[Annotation]] = {entry.id: [] for entry in images}
        for row, annotation in enumerate(annotations):
            if annotation.image_id not in by_image:
                raise DataError(
                    f"annotation {annotation.id} refers to image {annotation.image_id}, "
                    "which is not in `images`",
                    where=f"{path} annotations[{row}]",
                )
            by_image[annotation.image_id].append(annotation)
        return cls(
            path,
            tuple(images),
            {key: tuple(rows) for key, rows in by_image.items()},
            tuple(categories),
        )

    def require_boxes(self) -> None:
        """Check that every annotation has a box.

        Raises:
            DataError: a box is missing or empty; the message contains the first three.
        """
        missing = [
            annotation.id
            for annotations in self.annotations.values()
            for annotation in annotations
            if annotation.bbox is None
        ]
        if missing:
            rest = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise DataError(
                f"{len(missing)} annotation(s) have no `bbox`: id "
                f"{', '.join(repr(key) for key in missing[:3])}{rest}",
                where=f"{self.path} annotations",
                next_step="add `bbox: [left, top, width, height]`, set `drop_empty: true` of the "
                "source to drop such boxes, or `boxes: false` to read only the segmentation",
            )


def _normalized(name: str) -> str:
    """Return a file name without backslashes and without parts ``.`` and ``..``."""
    return posixpath.normpath(name.replace("\\", "/"))


def _load(path: Path) -> Mapping[str, Any]:
    text = read_text(path, what="annotation file")
    content = parse_json(text, what="file", where=str(path))
    if not isinstance(content, dict):
        raise DataError(
            "the JSON must be an object with `images` and `annotations`", where=str(path)
        )
    return content


def _entries(
    content: Mapping[str, Any], key: str, adapter: TypeAdapter[list[EntryT]], path: Path
) -> list[EntryT]:
    if not isinstance(content.get(key), list):
        raise DataError(
            f"the JSON must have a list {key!r}",
            where=str(path),
            allowed=("images", "annotations", "categories"),
        )
    try:
        return adapter.validate_python(content[key])
    except ValidationError as error:
        first = error.errors()[0]
        row, *rest = first["loc"]
        field = ".".join(str(part) for part in rest) or "the entry"
        message = first["msg"].removeprefix("Value error, ")
        where = f"{path} {key}[{row}]"
        if first["type"] == "missing" and len(rest) == 1:
            raise DataError(
                f"`{field}` is missing", where=where, next_step=f"add it to each entry of `{key}`"
            ) from error
        raise DataError(f"{field}: {message[:1].lower()}{message[1:]}", where=where) from error
