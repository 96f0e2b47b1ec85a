"""The table's rows, whichever kind of file they stand in."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mtlsearch.plugin import DataError

if TYPE_CHECKING:
    from _csv import Reader

_MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What programs put between cells."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image.

    Attributes:
        line: the line of the file it ends on, the first one being 1.
        cells: column to text, number or list; an empty cell is not in it.
    """

    line: int
    cells: dict[str, Any]


def read_table(path: Path) -> tuple[frozenset[str], list[Row]]:
    """The columns there are, and all rows.

    Raises:
        DataError: the file is missing, empty or malformed; the row is named.
    """
    if not path.is_file():
        raise DataError(
            "this is a folder, not a table" if path.is_dir() else "the table is missing",
            where=str(path),
            next_step="the source's `file` is its name, below the source's `root`",
        )
    json_lines = path.suffix.lower() in (".jsonl", ".ndjson")
    try:
        rows = list(_json_rows(path) if json_lines else _csv_rows(path))
    except UnicodeDecodeError as error:
        raise DataError(
            f"the table is not in UTF-8: {error}",
            where=str(path),
            next_step="save it as UTF-8; a spreadsheet offers that where it saves CSV",
        ) from error
    if not rows:
        raise DataError("the table has no rows", where=str(path))
    columns = frozenset(name for row in rows for name in row.cells)
    return columns | (frozenset() if json_lines else _header(path)), rows


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _reader(path: Path, file: TextIO) -> Reader:
    # A blank behind a comma is for the eye, before a quote as well.
    return csv.reader(file, delimiter=_separator(path), skipinitialspace=True, strict=True)


def _names(cells: Sequence[str], path: Path) -> list[str]:
    """The column names in the first row.

    Raises:
        DataError: one occurs twice, or all of them stand in one cell.
    """
    names = [cell.strip() for cell in cells]
    if len(set(names)) != len(names):
        raise DataError("a column name occurs twice", where=f"{path} row 1")
    own = _separator(path)
    others = [mark for mark in _MARKS if len(names) == 1 and mark in names[0] and mark != own]
    if others:
        instead = "give it a name that ends in .tsv, or " if others[0] == "\t" else ""
        raise DataError(
            f"the header is one cell, with {_MARKS[others[0]]} in it",
            where=f"{path} row 1",
            next_step=f"{instead}save it with {_MARKS[own]} between cells",
        )
    return names


def _header(path: Path) -> frozenset[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return frozenset(_names(next(_reader(path, file), []), path))


def _csv_rows(path: Path) -> Iterator[Row]:
    # Spreadsheets put a byte order mark first, which utf-8-sig takes away.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = _reader(path, file)
        try:
            header = _names(next(reader, []), path)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise DataError(
                        f"the row has {len(cells)} cells, the header {len(header)}",
                        where=f"{path} row {reader.line_num}",
                    )
                stripped = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
                filled = {name: cell for name, cell in stripped.items() if cell}
                yield Row(reader.line_num, filled)
        except csv.Error as error:
            where = f"{path} row {reader.line_num}"
            raise DataError(f"the row is malformed: {error}", where=where) from error


def _json_rows(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                cells = json.loads(text)
            except json.JSONDecodeError as error:
                where = f"{path} row {line}"
                raise DataError(f"the row is no JSON: {error}", where=where) from error
            if not isinstance(cells, dict):
                raise DataError("the row is no mapping", where=f"{path} row {line}")
            filled = {name: cell for name, cell in cells.items() if cell not in (None, "")}
            yield Row(line, filled)
