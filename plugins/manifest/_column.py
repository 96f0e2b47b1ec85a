"""Columns of a table and the labels in their cells."""

from __future__ import annotations

import math
import re
from collections import defaultdict
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
    MaskValues,
    RawLabel,
    read_plane,
    read_text,
    require_image_size,
    require_unique,
    resolve_path,
)

from ._boxes import BoxCells, parse_cell, require_inside, to_pixels
from ._settings import ColumnSettings

_INTEGER = re.compile(r"-?\d{1,18}")
_WHOLE = re.compile(r"(?P<number>-?\d+)\.0+")
"""Whole number as written for a column of floats."""


@dataclass(frozen=True, slots=True)
class Column:
    """The column of one label.

    Attributes:
        name: name of the column.
        settings: options of the label.
        root: folder that paths in cells are relative to.
        classes: class names by index.
        values: classes of the pixel values of masks.
    """

    name: str
    settings: ColumnSettings
    root: Path
    classes: tuple[str, ...]
    values: MaskValues

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
            DataError: the file with class names is missing or empty, a class occurs twice, or
                there are no classes.
        """
        name = column_name(label, settings)
        classes = _classes_of(name, settings, root, cells)
        where = f"label {label!r}"
        if settings.columns and settings.class_column is None and len(classes) > 1:
            raise DataError(
                f"boxes in `columns` need a class, there are {len(classes)}",
                where=where,
                next_step="set `class_column` of the label to the column with the class",
            )
        ignore_index = settings.ignore_index
        values = MaskValues.of(settings.values, classes, ignore_index=ignore_index, where=where)
        return cls(name, settings, root, classes, values)

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

    def read(self, cell: Any, image: Path, image_size: tuple[int, int], where: str) -> RawLabel:
        """Read the label in a cell that is not empty.

        Args:
            cell: string, number or list.
            image: the image.
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
                if isinstance(cell, list | dict):
                    raise DataError(
                        f"the cell must be one class, got {cell!r}",
                        where=where,
                        next_step="set `form: categories` of the label for several classes",
                    )
                return self._index(str(cell), where)
            case Form.CATEGORIES:
                texts = _class_texts(cell, self.settings)
                return tuple(sorted({self._index(text, where) for text in texts}))
            case Form.BOXES:
                return self._boxes(cell, image, image_size, where)
            case Form.MASK:
                return self._mask(self._path(cell, where), where)
            case Form.NUMBER:
                return self._number(cell, where)
            case Form.MAP:
                return self._map(self._path(cell, where), where)

    def files(self, cell: Any, where: str) -> list[Path]:
        """Return the files that a cell refers to.

        Args:
            cell: string, number, list or None.
            where: the row, for messages.

        Returns:
            At most one path, also of a file that does not exist.
        """
        can_be_path = self.settings.form in (Form.BOXES, Form.MASK, Form.MAP)
        is_path = can_be_path and isinstance(cell, str) and not cell.startswith("[")
        where = f"{where}, column {self.name!r}"
        return [resolve_path(self.root, cell, where=where)] if is_path else []

    def written(self, cell: Any, where: str) -> Any:
        """Return what a cell contains about the label, without paths.

        Args:
            cell: string, number, list or None.
            where: the row, for messages.

        Returns:
            The cell, without numbers of rows; the content of a file with boxes, with ends of
            lines as on Linux; None for the path of a mask or map.
        """
        if not (files := self.files(cell, where)):
            rows = cell if isinstance(cell, list) else ()
            is_joined = any(isinstance(row, BoxCells) for row in rows)
            return [(row.numbers, row.name, row.crowd) for row in rows] if is_joined else cell
        if self.settings.form is not Form.BOXES:
            return None
        return [file.read_bytes().replace(b"\r\n", b"\n") for file in files if file.is_file()]

    def _index(self, text: str, where: str) -> int:
        if self.settings.index_offset is not None and _INTEGER.fullmatch(text):
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
        if (match := _WHOLE.fullmatch(text)) is None:
            fix = "add the class to `classes` (or `classes_file`) of the label"
            raise DataError(
                f"unknown class {text!r}{hint}",
                where=where,
                allowed=allowed,
                next_step=f"correct these cells, or {fix}"
                if indices is None
                else f"correct these cells, {fix}, or change its `index_offset`",
            )
        raise DataError(
            f"unknown class {text!r}; did you mean {match['number']!r}? Programs write whole "
            "numbers as floats if a cell of the column is empty",
            where=where,
            allowed=allowed,
            next_step="write the column as integers (in pandas: `astype('Int64')`)",
        )

    def _number(self, cell: Any, where: str) -> float:
        number = _to_number(cell)
        if number is not None:
            return number * self.settings.scale + self.settings.offset
        has_comma = isinstance(cell, str) and cell.count(",") == 1 and "." not in cell
        comma = " and with a decimal point instead of the comma" if has_comma else ""
        raise DataError(
            f"the cell must be a number, got {cell!r}",
            where=where,
            next_step=f"write digits without a unit{comma}; leave the cell of a missing number "
            "empty",
        )

    def _path(self, cell: Any, where: str) -> Path:
        if not isinstance(cell, str):
            raise DataError(f"the cell must be a path, got {cell!r}", where=where)
        return resolve_path(self.root, cell, where=where)

    def _mask(self, path: Path, where: str) -> NDArray[np.integer]:
        plane = read_plane(path, where)
        if plane.dtype.kind not in "iu":
            raise DataError(f"{path} must have integer pixels, got {plane.dtype}", where=where)
        offset = self.settings.index_offset or 0
        if not offset:
            return self.values.apply(plane, where)
        indices = plane.astype(np.int64)
        np.subtract(indices, offset, out=indices, where=plane != self.settings.ignore_index)
        return indices

    def _map(self, path: Path, where: str) -> NDArray[np.float32]:
        plane = read_plane(path, where)
        if plane.ndim == 2:
            plane = plane[None]
        settings = self.settings
        values = np.empty(plane.shape, np.float32)
        for index in np.ndindex(plane.shape[:2]):  # a row at a time needs less memory
            raw = np.asarray(plane[index], np.float64)
            is_void = np.isnan(raw) if np.isnan(settings.invalid) else raw == settings.invalid
            values[index] = np.where(is_void, 0.0, raw * settings.scale + settings.offset)
        return values

    def _boxes(self, cell: Any, image: Path, image_size: tuple[int, int], where: str) -> Boxes:
        settings = self.settings
        if isinstance(cell, str) and not cell.startswith("["):
            return self._xml_boxes(cell, image, image_size, where)
        if settings.columns is not None:
            entries = [cells.parse(settings, where) for cells in cell]
        else:
            entries = parse_cell(cell, settings.format, where)
        xyxy = to_pixels(entries, settings, image_size, where)
        require_inside(entries, xyxy, settings, image_size, where)
        has_one_class = settings.columns is not None and settings.class_column is None
        classes = [0 if has_one_class else self._index(entry.name, where) for entry in entries]
        crowd = np.array([entry.crowd for entry in entries], np.bool_)
        return Boxes(xyxy, np.array(classes, np.int64), crowd)

    def _xml_boxes(self, cell: str, image: Path, image_size: tuple[int, int], where: str) -> Boxes:
        path = resolve_path(self.root, cell, where=where)
        if not path.exists():
            raise DataError(
                f"{path} is missing, and {cell!r} is not a JSON list of boxes", where=where
            )
        xml = BoxXml.read(path, where)
        if self.settings.size == "check":
            require_image_size(
                image,
                image_size,
                xml.stated_size(where),
                origin="the XML",
                where=where,
                next_step="set `size: from_image` of the label if boxes are pixels of these "
                "images, or `size: rescale` if they are pixels of images of the size in the XML",
            )
        return xml.boxes(
            self.classes,
            image_size=image_size,
            where=where,
            one_based=self.settings.one_based,
            size=self.settings.size,
        )


def _to_number(cell: Any) -> float | None:
    """Return the finite number in a cell; None if it contains something else."""
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    # Python would read 1_5 as 15.
    if not is_number and (not isinstance(cell, str) or "_" in cell):
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def column_name(label: str, settings: ColumnSettings) -> str:
    """Return the name of the column of a label, which messages contain.

    Args:
        label: name of the label.
        settings: options of the label.

    Returns:
        The name in the table; for a label with four columns, a name that contains all of them.
    """
    if settings.columns is not None:
        return f"{label}: {', '.join(settings.columns)}"
    return settings.column or label


def _classes_of(
    name: str, settings: ColumnSettings, root: Path, cells: Iterable[Any]
) -> tuple[str, ...]:
    """Return the class names of a label: configured, from a file or from the cells."""
    if settings.form in (Form.NUMBER, Form.MAP):
        return ()
    if settings.classes is not None:
        return settings.classes
    if settings.classes_file is not None:
        return _read_classes(resolve_path(root, str(settings.classes_file)))
    classes = {text for cell in cells for text in _class_texts(cell, settings)}
    if not classes:
        raise DataError(
            f"column {name!r} contains no classes",
            where=str(root),
            next_step="set `classes` of the label, or `column` to the name of another column",
        )
    return _sorted(classes, name, str(root))


def _sorted(classes: set[str], name: str, where: str) -> tuple[str, ...]:
    """Return class names in their order. Numbers are sorted by value: 2 comes before 10."""
    if not all(re.fullmatch(r"-?\d+(\.\d+)?", text) for text in classes):
        return tuple(sorted(classes))
    texts_by_value: dict[float, list[str]] = defaultdict(list)
    for text in sorted(classes):
        texts_by_value[float(text)].append(text)
    equal = [texts for _, texts in sorted(texts_by_value.items()) if len(texts) > 1]
    if equal:
        raise DataError(
            f"column {name!r} writes the same number in several ways: {', '.join(equal[0])}",
            where=where,
            next_step="write each class in one way, or set `classes` of the label",
        )
    return tuple(sorted(classes, key=float))


def _class_texts(cell: Any, settings: ColumnSettings) -> list[str]:
    """Return the classes in a cell; none if it contains only separators."""
    if isinstance(cell, list):
        return [str(item) for item in cell]
    text = str(cell)
    parts = text.split(settings.sep) if settings.form is Form.CATEGORIES else [text]
    return [part.strip() for part in parts if part.strip()]


def _read_classes(path: Path) -> tuple[str, ...]:
    lines = read_text(path, what="file with the class names").splitlines()
    rows = [(row, line.strip()) for row, line in enumerate(lines, 1) if line.strip()]
    names = tuple(name for _, name in rows)
    if not names:
        raise DataError("the file with the class names is empty", where=str(path))
    require_unique(
        "class name",
        names,
        lambda index: f"line {rows[index][0]}",
        where=str(path),
        next_step="keep one line per class",
    )
    return names
