"""Rows of a table by image."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from mtlsearch.plugin import DataError, require_unique

from ._boxes import BoxCells
from ._column import column_name
from ._settings import ColumnSettings, ManifestSettings
from ._table import Row


def rows_by_image(rows: Sequence[Row], settings: ManifestSettings, file: str) -> list[Row]:
    """Return one row per image.

    A table with a label in four columns can have several rows per image, one per box. They are
    joined; the cells of the label then contain a list of :class:`BoxCells`.

    Args:
        rows: all rows of the table.
        settings: options of the table.
        file: the table, for messages.

    Returns:
        One row per image, in the order of the first row of each.

    Raises:
        DataError: two rows have the same image and no label is in four columns, or rows of one
            image have different cells.
    """
    box_labels = {
        label: column for label, column in settings.labels.items() if column.columns is not None
    }
    keys = [_key(row.cells.get(settings.image_column), row) for row in rows]
    if not box_labels:
        require_unique(
            "image",
            keys,
            lambda index: f"row {rows[index].line}",
            where=file,
            next_step="keep one row per image, in one split. A table with one row per box needs "
            "`columns` of the label",
        )
        return list(rows)
    groups: dict[Any, list[Row]] = {}
    for key, row in zip(keys, rows, strict=True):
        groups.setdefault(key, []).append(row)
    other = [settings.image_column, settings.split_column]
    other += [] if settings.group_column is None else [settings.group_column]
    other += [column_name(*item) for item in settings.labels.items() if item[0] not in box_labels]
    return [_join(group, other, box_labels, file) for group in groups.values()]


def _key(name: Any, row: Row) -> Any:
    """Return what identifies the image of a row; a row without a path is its own image."""
    is_path = isinstance(name, str)
    return posixpath.normpath(name.replace("\\", "/")) if is_path else row.line


def _join(
    rows: Sequence[Row], columns: Sequence[str], labels: Mapping[str, ColumnSettings], file: str
) -> Row:
    """Return one row with the cells of all rows of an image."""
    cells: dict[str, Any] = {}
    line_of: dict[str, int] = {}
    for row in rows:
        for column in columns:
            if column not in row.cells:
                continue
            # Different ways to write one path are equal here.
            if column not in cells:
                cells[column], line_of[column] = row.cells[column], row.line
            elif _value(row.cells[column]) != _value(cells[column]):
                raise DataError(
                    f"rows of one image differ in column {column!r}: {cells[column]!r} and "
                    f"{row.cells[column]!r}",
                    where=f"{file} rows {line_of[column]} and {row.line}",
                    next_step="write the same value in all rows of the image",
                )
    for label, settings in labels.items():
        boxes = [cell for row in rows if (cell := _box(row, settings)) is not None]
        if boxes or settings.no_box_if_empty:
            cells[column_name(label, settings)] = boxes
    return Row(rows[0].line, cells)


def _value(cell: Any) -> Any:
    return posixpath.normpath(cell.replace("\\", "/")) if isinstance(cell, str) else cell


def _box(row: Row, settings: ColumnSettings) -> BoxCells | None:
    """Return the cells of the box in a row; None if the four cells are empty."""
    numbers = tuple(row.cells.get(column) for column in settings.columns or ())
    if all(number is None for number in numbers):
        return None
    name: Any = "" if settings.class_column is None else row.cells.get(settings.class_column)
    crowd = None if settings.crowd_column is None else row.cells.get(settings.crowd_column)
    return BoxCells(row.line, numbers, name, crowd)
