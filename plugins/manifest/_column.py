"""Columns of a table and the labels in their cells."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlsearch.plugin import (
    Boxes,
    BoxXml,
    DataError,
    Form,
    LabelSpec,
    RawLabel,
    read_plane,
)

from ._settings import ColumnSettings

_SIDES = {"xyxy": "xmin, ymin, xmax, ymax", "xywh": "xmin, ymin, width, height"}
"""Meaning of the four numbers of a box, by format."""


@dataclass(frozen=True, slots=True)
class Column:
    """The column of one label.

    Attributes:
        name: name of the column.
        settings: options of the label.
        root: folder that paths in cells are relative to.
        classes: class names by index.
    """

    name: str
    settings: ColumnSettings
    root: Path
    classes: tuple[str, ...]

    @classmethod
    def open(cls, label: str, settings: ColumnSettings, root: Path, cells: Iterable[Any]) -> Column:
        """Return the column of a label.

        Args:
            label: name of the label.
            settings: options of the label.
            root: folder that paths in cells are relative to.
            cells: cells of the column, from which classes are read if none are configured.

        Returns:
            The column.

        Raises:
            DataError: the file with class names is missing or empty, or there are no classes.
        """
        name = settings.column or label
        if settings.form is Form.MAP:
            return cls(name, settings, root, ())
        if settings.classes is not None:
            return cls(name, settings, root, settings.classes)
        if settings.classes_file is not None:
            return cls(name, settings, root, _read_classes(root / settings.classes_file))
        classes = {text for cell in cells for text in _class_texts(cell, settings)}
        if not classes:
            raise DataError(
                f"column {name!r} contains no classes",
                where=str(root),
                next_step="set `classes` of the label, or `column` to the name of another column",
            )
        # Numbers are sorted by value: 2 comes before 10.
        is_numeric = all(text.lstrip("-").isdecimal() for text in classes)
        return cls(name, settings, root, tuple(sorted(classes, key=int if is_numeric else str)))

    @property
    def spec(self) -> LabelSpec:
        """Form, classes and numbers of the label."""
        settings = self.settings
        return LabelSpec(
            settings.form,
            self.classes,
            ignore_index=settings.ignore_index,
            channels=settings.channels,
            unit=settings.unit,
            named_classes=settings.classes or (),
        )

    def read(self, cell: Any, image_size: tuple[int, int], where: str) -> RawLabel:
        """Read the label in a cell that is not empty.

        Args:
            cell: string, number or list.
            image_size: ``(width, height)`` of the image in pixels.
            where: the row, for messages.

        Returns:
            The label.

        Raises:
            DataError: a class is unknown, or a file is missing or broken.
        """
        where = f"{where}, column {self.name!r}"
        match self.settings.form:
            case Form.CATEGORY:
                return self._index(str(cell), where)
            case Form.CATEGORIES:
                texts = _class_texts(cell, self.settings)
                return tuple(sorted({self._index(text, where) for text in texts}))
            case Form.BOXES:
                return self._boxes(cell, image_size, where)
            case Form.MASK:
                return self._mask(self._path(cell, where), where)
            case Form.MAP:
                return self._map(self._path(cell, where), where)

    def files(self, cell: Any) -> list[Path]:
        """Return the files that a cell refers to.

        Args:
            cell: string, number, list or None.

        Returns:
            At most one path, also of a file that does not exist.
        """
        can_be_path = self.settings.form in (Form.BOXES, Form.MASK, Form.MAP)
        is_path = can_be_path and isinstance(cell, str) and not cell.startswith("[")
        return [self.root / cell] if is_path else []

    def _index(self, text: str, where: str) -> int:
        if self.settings.index_offset is not None and text.lstrip("-").isdecimal():
            index = int(text) - self.settings.index_offset
            if 0 <= index < len(self.classes):
                return index
        elif self.settings.index_offset is None and text in self.classes:
            return self.classes.index(text)
        close = get_close_matches(text, self.classes, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        first = self.settings.index_offset
        indices = None if first is None else f"{first} to {first + len(self.classes) - 1}"
        allowed = self.classes if indices is None else (indices,)
        raise DataError(f"unknown class {text!r}{hint}", where=where, allowed=allowed)

    def _path(self, cell: Any, where: str) -> Path:
        if not isinstance(cell, str):
            raise DataError(f"the cell must be a path, got {cell!r}", where=where)
        return self.root / cell

    def _mask(self, path: Path, where: str) -> NDArray[np.integer]:
        plane = read_plane(path, where)
        if plane.dtype.kind not in "iu":
            raise DataError(f"{path} must have integer pixels, got {plane.dtype}", where=where)
        offset = self.settings.index_offset or 0
        if not offset:
            return np.asarray(plane)
        is_void = plane == self.settings.ignore_index
        return np.where(is_void, plane.astype(np.int64), plane.astype(np.int64) - offset)

    def _map(self, path: Path, where: str) -> NDArray[np.float32]:
        raw = np.asarray(read_plane(path, where), np.float64)
        if raw.ndim == 2:
            raw = raw[None]
        settings = self.settings
        is_void = np.isnan(raw) if np.isnan(settings.invalid) else raw == settings.invalid
        values = np.where(is_void, 0.0, raw * settings.scale + settings.offset)
        return values.astype(np.float32)

    def _boxes(self, cell: Any, image_size: tuple[int, int], where: str) -> Boxes:
        if isinstance(cell, str) and not cell.startswith("["):
            path = self.root / cell
            if not path.exists():
                raise DataError(
                    f"{path} is missing, and {cell!r} is not a JSON list of boxes",
                    where=where,
                )
            return BoxXml.read(path, where).boxes(
                self.classes,
                image_size=image_size,
                where=where,
                one_based=self.settings.one_based,
            )
        entries = _box_entries(cell, where)
        sides = _SIDES[self.settings.box_format]
        rows = [_parse_box(entry, index, sides, where) for index, entry in enumerate(entries, 1)]
        xyxy = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
        if self.settings.box_format == "xywh":
            xyxy[:, 2:] += xyxy[:, :2]
        classes = [self._index(row[1], where) for row in rows]
        crowd = np.array([row[2] for row in rows], np.bool_)
        return Boxes(xyxy, np.array(classes, np.int64), crowd)


def _box_entries(cell: Any, where: str) -> list[Any]:
    """Return the list of boxes in a cell."""
    try:
        entries = json.loads(cell) if isinstance(cell, str) else cell
    except json.JSONDecodeError as error:
        raise DataError(f"the boxes are not valid JSON: {error}", where=where) from error
    if not isinstance(entries, list):
        raise DataError(f"the cell must be a path or a list of boxes, got {cell!r}", where=where)
    return entries


def _parse_box(entry: Any, index: int, sides: str, where: str) -> tuple[list[float], str, bool]:
    """Return four numbers, class and crowd of ``[a, b, c, d, class]`` or of a mapping."""
    if isinstance(entry, dict):
        numbers, name = entry.get("box"), entry.get("class")
        crowd = bool(entry.get("crowd", False))
    elif isinstance(entry, list) and len(entry) == 5:
        numbers, name, crowd = entry[:4], entry[4], False
    else:
        numbers, name, crowd = None, None, False
    is_valid = isinstance(numbers, list) and len(numbers) == 4 and isinstance(name, str | int)
    if not is_valid or not all(isinstance(side, int | float) for side in numbers or ()):
        raise DataError(
            f"box {index} of the list is {entry!r}",
            where=where,
            allowed=(
                f"[[{sides}, class], ...]",
                f'[{{"box": [{sides}], "class": name, "crowd": false}}, ...]',
            ),
        )
    return [float(side) for side in numbers or ()], str(name), crowd


def _class_texts(cell: Any, settings: ColumnSettings) -> list[str]:
    """Return the classes in a cell; none if it contains only separators."""
    if isinstance(cell, list):
        return [str(item) for item in cell]
    text = str(cell)
    parts = text.split(settings.sep) if settings.form is Form.CATEGORIES else [text]
    return [part.strip() for part in parts if part.strip()]


def _read_classes(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise DataError("the file with the class names does not exist", where=str(path))
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(
            f"the file with the class names is not in UTF-8: {error}",
            where=str(path),
            next_step="save it as UTF-8",
        ) from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names:
        raise DataError("the file with the class names is empty", where=str(path))
    if len(set(names)) != len(names):
        raise DataError("a class name occurs twice", where=str(path))
    return names
