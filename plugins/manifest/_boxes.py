"""Boxes in cells of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtlsearch.plugin import DataError, parse_flag, parse_json

from ._settings import BoxFormat, ColumnSettings

SIDES = {
    "xyxy": "xmin, ymin, xmax, ymax",
    "xywh": "xmin, ymin, width, height",
    "cxcywh": "xcenter, ycenter, width, height",
}
"""Meaning of the four numbers of a box, by format."""

TOLERANCE = 0.01
"""Fraction of the image by which a normalized number may be outside of 0 to 1: rounding."""


@dataclass(frozen=True, slots=True)
class BoxEntry:
    """One box as written.

    Attributes:
        numbers: the four numbers.
        name: class name, or class index as text.
        crowd: whether the box is a crowd.
        place: the box in its cell or row, for messages.
    """

    numbers: tuple[float, float, float, float]
    name: str
    crowd: bool
    place: str


@dataclass(frozen=True, slots=True)
class BoxCells:
    """Cells of one row with one box.

    Attributes:
        line: the row in the table.
        numbers: the four cells.
        name: cell of the class; empty if the label has a single class and no such column.
        crowd: cell of the flag; None without one.
    """

    line: int
    numbers: tuple[Any, ...]
    name: Any
    crowd: Any

    def parse(self, settings: ColumnSettings, where: str) -> BoxEntry:
        """Return the box in the cells.

        Args:
            settings: options of the label.
            where: the table and its first row with the image, for messages.

        Returns:
            The box.

        Raises:
            DataError: a cell is empty or not a number, or the flag is invalid.
        """
        where = f"{where}, box in row {self.line}"
        columns = settings.columns or ()
        for column, cell in zip(columns, self.numbers, strict=True):
            if cell is None:
                raise DataError(f"column {column!r} is empty, the row has other sides", where=where)
            if not _is_number(cell):
                raise DataError(f"column {column!r} must be a number, got {cell!r}", where=where)
        if self.name is None:
            raise DataError(
                f"column {settings.class_column!r} is empty, the row has a box", where=where
            )
        crowd = parse_flag(self.crowd, name=settings.crowd_column or "crowd", where=where)
        left, top, right, bottom = (float(cell) for cell in self.numbers)
        place = f"box in row {self.line}"
        return BoxEntry((left, top, right, bottom), str(self.name), crowd, place)


def parse_cell(cell: Any, format_: BoxFormat, where: str) -> list[BoxEntry]:
    """Return the boxes in a cell.

    Args:
        cell: a list, or a list as JSON text.
        format_: meaning of the four numbers of a box.
        where: the row and its column, for messages.

    Returns:
        The boxes.

    Raises:
        DataError: the cell is not a list of boxes.
    """
    entries = parse_json(cell, what="cell", where=where) if isinstance(cell, str) else cell
    if not isinstance(entries, list):
        raise DataError(f"the cell must be a path or a list of boxes, got {cell!r}", where=where)
    return [
        _parse_entry(entry, f"box {row}", SIDES[format_], where)
        for row, entry in enumerate(entries, 1)
    ]


def to_pixels(
    entries: Sequence[BoxEntry], settings: ColumnSettings, size: tuple[int, int], where: str
) -> NDArray[np.float32]:
    """Return the edges of boxes in pixels.

    Args:
        entries: the ``N`` boxes.
        settings: options of the label.
        size: ``(width, height)`` of the image in pixels.
        where: the row and its column, for messages.

    Returns:
        Left, top, right, bottom, float32 ``[N, 4]``.

    Raises:
        DataError: a number of a normalized box is not a fraction.
    """
    numbers = np.array([entry.numbers for entry in entries], np.float64).reshape(-1, 4)
    if settings.normalized:
        for entry, row in zip(entries, numbers, strict=True):
            if not ((row >= -TOLERANCE) & (row <= 1 + TOLERANCE)).all():
                raise DataError(
                    f"{entry.place} {row.tolist()} must have fractions of the image, from 0 to 1",
                    where=where,
                    next_step="set `normalized: false` if the numbers are pixels",
                )
        numbers = numbers * np.tile(size, 2)
    xyxy = numbers.astype(np.float32)
    if settings.format == "cxcywh":
        xyxy[:, :2] -= xyxy[:, 2:] / 2
    if settings.format != "xyxy":
        xyxy[:, 2:] += xyxy[:, :2]
    return xyxy


def require_inside(
    entries: Sequence[BoxEntry],
    xyxy: NDArray[np.float32],
    settings: ColumnSettings,
    size: tuple[int, int],
    where: str,
) -> None:
    """Check that boxes have an area and lie within the image.

    Args:
        entries: the ``N`` boxes as written.
        xyxy: the same boxes in pixels, ``[N, 4]``.
        settings: options of the label.
        size: ``(width, height)`` of the image in pixels.
        where: the row and its column, for messages.

    Raises:
        DataError: a box has no area or leaves the image. The message contains its numbers as
            written, and the formats in which all boxes of the image fit.
    """
    invalid = np.flatnonzero(~_fits(xyxy, size))
    if not len(invalid):
        return
    entry = entries[int(invalid[0])]
    left, top, right, bottom = xyxy[invalid[0]].tolist()
    has_area = left < right and top < bottom
    problem = "is outside the image of" if has_area else "has no area in the image of"
    numbers = ", ".join(f"{number:g}" for number in entry.numbers)
    others = [
        format_
        for format_ in SIDES
        if format_ != settings.format
        and _fits(
            to_pixels(entries, settings.model_copy(update={"format": format_}), size, where), size
        ).all()
    ]
    fix = " or ".join(f"`format: {format_}` ({SIDES[format_]})" for format_ in others)
    raise DataError(
        f"{entry.place} ({numbers}), read as {SIDES[settings.format]}, {problem} {size[0]} x "
        f"{size[1]} pixels",
        where=where,
        next_step=f"set {fix} of the label if the numbers mean this, or correct the boxes"
        if others
        else "correct the boxes, or set `format` of the label to what the numbers mean",
    )


def _fits(xyxy: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which boxes have an area in the image and leave it by at most a pixel."""
    limits = np.tile(np.array(size, np.float32), 2)
    clipped = xyxy.clip(0, limits)
    has_area = (clipped[:, 2:] > clipped[:, :2]).all(1)
    is_inside = ((xyxy >= -1) & (xyxy <= limits + 1)).all(1)
    return np.asarray(is_inside & has_area, np.bool_)


def _parse_entry(entry: Any, place: str, sides: str, where: str) -> BoxEntry:
    """Return the box ``[a, b, c, d, class]`` or a mapping."""
    crowd: Any = None
    numbers, name = None, None
    if isinstance(entry, dict):
        numbers, name, crowd = entry.get("box"), entry.get("class"), entry.get("crowd")
    elif isinstance(entry, list) and len(entry) == 5:
        numbers, name = entry[:4], entry[4]
    is_valid = isinstance(numbers, list) and len(numbers) == 4 and isinstance(name, str | int)
    if not is_valid or not all(_is_side(side) for side in numbers or ()):
        raise DataError(
            f"{place} of the list is {entry!r}",
            where=where,
            allowed=(
                f"[[{sides}, class], ...]",
                f'[{{"box": [{sides}], "class": name, "crowd": false}}, ...]',
            ),
        )
    left, top, right, bottom = (float(side) for side in numbers or ())
    flag = parse_flag(crowd, name="crowd", where=f"{where}, {place}")
    return BoxEntry((left, top, right, bottom), str(name), flag, place)


def _is_side(value: Any) -> bool:
    return not isinstance(value, str) and _is_number(value)


def _is_number(cell: Any) -> bool:
    try:
        return not isinstance(cell, bool) and math.isfinite(float(cell))
    except (TypeError, ValueError, OverflowError):
        return False
