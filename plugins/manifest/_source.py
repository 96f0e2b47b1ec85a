"""Source of CSV and JSON Lines tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from mtlsearch.plugin import (
    IMAGE_SUFFIXES,
    DataError,
    DatasetSource,
    Form,
    LabelSpec,
    Sample,
    backslash_warnings,
    did_you_mean,
    hookimpl,
    read_image,
    require_below_root,
    resolve_path,
)

from ._column import Column
from ._rows import rows_by_image
from ._settings import ColumnSettings, ManifestSettings
from ._table import Row, read_table

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Spellings of a split, as of the folders of the source ``folders``."""


class Manifest(DatasetSource[ManifestSettings]):
    """A CSV or JSON Lines table; see :mod:`mtlsearch_plugins.manifest`.

    Args:
        settings: options of the source.
        root: folder of the data set.
        seed: seed of the run, for drawing the test split.

    Raises:
        DataError: the table is missing or malformed, an image occurs twice, or a column or all
            images are missing.
    """

    name = "manifest"
    summary = "CSV or JSON Lines table with one row per image and labels of any form"
    label_summary = "those in `labels`, of any form"
    example = "file: table.csv, labels: {breed: {form: category}, age: {form: number}}"
    Settings = ManifestSettings

    def __init__(self, settings: ManifestSettings, *, root: Path, seed: int) -> None:
        self._root = root
        self._file = root / settings.file
        self._image_column = settings.image_column
        self._group_column = settings.group_column
        require_below_root(self._file, str(self._file))
        key_by_column = _key_by_column(settings)
        columns, rows = read_table(self._file, key_by_column)
        for name, key in key_by_column.items():
            if name not in columns:
                raise _missing_column(name, key, columns, rows, settings, self._file)
        self._columns = {
            label: Column.open(label, column, root, _class_cells(rows, label, column))
            for label, column in settings.labels.items()
        }
        rows = rows_by_image(rows, settings, str(self._file))
        self._warnings = backslash_warnings(self._paths(rows), str(self._file))
        if settings.split_column in columns:
            self._rows = _by_column(rows, settings.split_column, self._file)
        else:
            self._rows = _at_random(rows, settings.test_fraction, seed)
            self._warnings += _split_columns(rows, settings, {*key_by_column}, self._file)
        self._require_images()

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        return {label: column.spec for label, column in self._columns.items()}

    @property
    def warnings(self) -> Sequence[str]:
        return self._warnings

    def size(self, split: str) -> int:
        return len(self._rows.get(split, ()))

    def read(self, split: str, index: int) -> Sample:
        row, where = self._row(split, index), self.locate(split, index)
        path = resolve_path(self._root, self._image(row), where=where)
        image = read_image(path, where)
        labels = {
            label: column.read(row.cells[column.name], path, image.size, where)
            for label, column in self._columns.items()
            if column.name in row.cells
        }
        return Sample(image, labels)

    def files(self, split: str, index: int) -> Sequence[Path]:
        row, where = self._row(split, index), self.locate(split, index)
        cells = [(column, row.cells.get(column.name)) for column in self._columns.values()]
        label_files = [path for column, cell in cells for path in column.files(cell, where)]
        image = row.cells.get(self._image_column)
        images = [resolve_path(self._root, image, where=where)] if isinstance(image, str) else []
        return [self._file, *images, *label_files]

    def written_labels(self, split: str, index: int) -> bytes:
        row, where = self._row(split, index), self.locate(split, index)
        cells = [
            (label, column.written(row.cells.get(column.name), where))
            for label, column in self._columns.items()
        ]
        return repr(cells).encode(errors="replace")

    def group(self, split: str, index: int) -> str | None:
        if self._group_column is None:
            return None
        cell = self._row(split, index).cells.get(self._group_column)
        return None if cell is None else str(cell)

    def locate(self, split: str, index: int) -> str:
        row = self._row(split, index)
        name = row.cells.get(self._image_column)
        return f"{self._file} row {row.line} ({name})" if name else f"{self._file} row {row.line}"

    def _row(self, split: str, index: int) -> Row:
        if not 0 <= index < self.size(split):
            raise IndexError(f"split {split!r} has {self.size(split)} images, got index {index}")
        return self._rows[split][index]

    def _paths(self, rows: Sequence[Row]) -> list[str]:
        """Return the cells with paths: images, masks, maps and XML files."""
        columns = [
            column.name
            for column in self._columns.values()
            if column.settings.form in (Form.BOXES, Form.MASK, Form.MAP)
        ]
        cells = [row.cells.get(name) for row in rows for name in (self._image_column, *columns)]
        return [cell for cell in cells if isinstance(cell, str) and not cell.startswith("[")]

    def _require_images(self) -> None:
        """Check that at least one image of the train or val split exists.

        Raises:
            DataError: no image exists.
        """
        rows = [row for split in ("train", "val") for row in self._rows.get(split, ())]
        cells = [(row.line, row.cells.get(self._image_column)) for row in rows]
        paths = [(line, name) for line, name in cells if isinstance(name, str)]
        example = paths[0][1] if paths else ""
        if paths and not any(
            resolve_path(self._root, path, where=f"{self._file} row {line}").exists()
            for line, path in paths
        ):
            raise DataError(
                f"none of the {len(paths)} images in column {self._image_column!r} exists",
                where=str(self._file),
                next_step=f"set the source's `root` to the folder that paths such as {example!r} "
                f"are relative to (now {self._root})",
            )

    def _image(self, row: Row) -> str:
        name = row.cells.get(self._image_column)
        if not isinstance(name, str):
            raise DataError(
                f"column {self._image_column!r} must be a path, got {name!r}",
                where=f"{self._file} row {row.line}",
            )
        return name


def _key_by_column(settings: ManifestSettings) -> dict[str, str]:
    """Return the columns that the table must have, and the setting that names each."""
    keys = {settings.image_column: "image_column"}
    if settings.group_column is not None:
        keys.setdefault(settings.group_column, "group_column")
    for label, column in settings.labels.items():
        names: dict[str | None, str] = {}
        if column.columns is None:
            names[column.column or label] = "column"
        else:
            names |= dict.fromkeys(column.columns, "columns")
            names |= {column.class_column: "class_column", column.crowd_column: "crowd_column"}
        for name, key in names.items():
            if name is not None:
                keys.setdefault(name, f"labels.{label}.{key}")
    return keys


def _missing_column(
    name: str,
    key: str,
    columns: Collection[str],
    rows: Sequence[Row],
    settings: ManifestSettings,
    file: Path,
) -> DataError:
    """Return the error that names the setting, and the column that is probably meant."""
    hint = did_you_mean(name, columns)
    if key == "image_column" and not hint:
        paths = [column for column, cell in rows[0].cells.items() if _is_image(cell)]
        hint = f"; did you mean {paths[0]!r}?" if paths else ""
    top = key.split(".")[0]
    is_set = top in settings.model_fields_set
    default = "" if is_set else ", its default"
    return DataError(
        f"there is no column {name!r}{hint}",
        where=f"{file} row 1",
        allowed=[repr(column) for column in sorted(columns)],
        next_step=f"set `{key}` of the source (now {name!r}{default}) to one of these columns",
    )


def _is_image(cell: object) -> bool:
    return isinstance(cell, str) and PurePosixPath(cell).suffix.lower() in IMAGE_SUFFIXES


def _split_columns(
    rows: Sequence[Row], settings: ManifestSettings, used: Collection[str], file: Path
) -> list[str]:
    """Return a warning for the first column that contains splits although no setting names it."""
    spellings = {name for names in SPLIT_NAMES.values() for name in names}
    for column in dict.fromkeys(name for row in rows for name in row.cells):
        values = {str(row.cells[column]).strip().lower() for row in rows if column in row.cells}
        if column not in used and values <= spellings and len(values) > 1:
            names = ", ".join(sorted(values))
            return [
                f"{file}: column {column!r} contains names of splits ({names}) and is ignored, as "
                f"`split_column` of the source is {settings.split_column!r}; to use it, set "
                f"`split_column: {column}`"
            ]
    return []


def _class_cells(rows: Sequence[Row], label: str, settings: ColumnSettings) -> list[object]:
    """Return the cells from which the classes of a label are read."""
    column = settings.class_column or settings.column or label
    return [row.cells[column] for row in rows if column in row.cells]


def _by_column(rows: Sequence[Row], column: str, file: Path) -> dict[str, list[Row]]:
    splits: dict[str, list[Row]] = {split: [] for split in SPLIT_NAMES}
    split_of = {name: split for split, names in SPLIT_NAMES.items() for name in names}
    for row in rows:
        name = row.cells.get(column)
        if not isinstance(name, str) or name not in split_of:
            hint = "" if name is None else did_you_mean(str(name).lower(), split_of)
            raise DataError(
                f"the cell of column {column!r} is empty, so the image has no split"
                if name is None
                else f"unknown split {name!r} in column {column!r}{hint}",
                where=f"{file} row {row.line}",
                allowed=list(split_of),
                next_step="write one of these in each row, or set `split_column` of the source to "
                "another column",
            )
        splits[split_of[name]].append(row)
    return splits


def _at_random(rows: Sequence[Row], test_fraction: float, seed: int) -> dict[str, list[Row]]:
    order = np.random.default_rng(seed).permutation(len(rows))
    test = set(order[: round(test_fraction * len(rows))].tolist())
    return {
        "train": [row for index, row in enumerate(rows) if index not in test],
        "test": [row for index, row in enumerate(rows) if index in test],
    }


@hookimpl
def mtlsearch_datasets() -> Sequence[type[Manifest]]:
    """Register the source ``manifest``."""
    return [Manifest]
