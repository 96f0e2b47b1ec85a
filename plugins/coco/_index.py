"""Contents of an instances JSON file, validated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mtlsearch.plugin import DataError

EntryT = TypeVar("EntryT")


class Category(BaseModel):
    """Entry of ``categories``."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str


class ImageEntry(BaseModel):
    """Entry of ``images``."""

    model_config = ConfigDict(frozen=True)

    id: int
    file_name: str
    width: int
    height: int


class Annotation(BaseModel):
    """Entry of ``annotations``; ``bbox`` is left, top, width, height in pixels."""

    model_config = ConfigDict(frozen=True)

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: bool = False
    segmentation: list[list[float]] | dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """Contents of one file.

    Attributes:
        path: the file.
        images: entries of the images, in the order of the file.
        annotations: annotations by image id.
        categories: categories, sorted by id.
    """

    path: Path
    images: tuple[ImageEntry, ...]
    annotations: Mapping[int, tuple[Annotation, ...]]
    categories: tuple[Category, ...]

    @classmethod
    def read(cls, path: Path) -> Index:
        """Read a file.

        Args:
            path: the JSON file.

        Returns:
            The contents.

        Raises:
            DataError: the file is missing or not JSON, a list or a key is missing, or an
                annotation refers to an unknown image.
        """
        content = _load(path)
        images = _entries(content, "images", TypeAdapter(list[ImageEntry]), path)
        annotations = _entries(content, "annotations", TypeAdapter(list[Annotation]), path)
        categories = _entries(content, "categories", TypeAdapter(list[Category]), path)
        by_image: dict[int, list[Annotation]] = {entry.id: [] for entry in images}
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
            tuple(sorted(categories, key=lambda category: category.id)),
        )


def _load(path: Path) -> Mapping[str, Any]:
    if path.is_dir():
        raise DataError("the annotation file is a folder", where=str(path))
    if not path.is_file():
        raise DataError("the annotation file does not exist", where=str(path))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"the file is not valid JSON: {error}", where=str(path)) from error
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
        where = f"{path} {key}[{row}]"
        raise DataError(f"{field}: {first['msg'].lower()}", where=where) from error
