"""Rows of a CSV, TSV or JSON Lines table."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mtlsearch.plugin import DataError, parse_json, require_unique

if TYPE_CHECKING:
    from _csv import Reader

MAX_CELL = 2**26
"""Maximum number of characters in a cell. The default of the csv module, 131072, is exceeded by a
cell with thousands of boxes."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""Common separators of cells."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table, for one image.

    Attributes:
        line: last line of the row in the file, from 1.
        cells: string, number or list by column, without empty cells.
    """

    line: int
    cells: dict[str, Any]


_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
"""Begin of the escape of a half of a surrogate pair in JSON."""


def read_table(path: Path, used: Collection[str]) -> tuple[frozenset[str], list[Row]]:
    """Read the columns and rows of a table.

    Args:
        path: the file; its suffix determines the format.
        used: the columns that are read. Others can contain halves of surrogate pairs.

    Returns:
        Column names, and all rows.

    Raises:
        DataError: the file is missing, empty or malformed; the message contains the row.
    """
    if not path.is_file():
        raise DataError(
            "the table is a folder" if path.is_dir() else "the table does not exist",
            where=str(path),
            next_step="set the source's `file` to the path of the table, relative to its `root`",
        )
    is_json_lines = path.suffix.lower() in (".jsonl", ".ndjson")
    try:
        rows = list(_json_rows(path, used)) if is_json_lines else _read_csv(path)
    except UnicodeDecodeError as error:
        raise DataError(
            f"the table is not in UTF-8: {error}",
            where=str(path),
            next_step="save it as UTF-8, which spreadsheet programs offer for CSV",
        ) from error
    if not rows:
        raise DataError("the table has no rows", where=str(path))
    columns = frozenset(name for row in rows for name in row.cells)
    return columns | (frozenset() if is_json_lines else _header(path)), rows


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _reader(path: Path, file: TextIO) -> Reader:
    # Spaces after a separator are ignored, also before a quote.
    return csv.reader(file, delimiter=_separator(path), skipinitialspace=True, strict=True)


def _names(cells: Sequence[str], path: Path) -> list[str]:
    """Return the column names in the first row.

    Raises:
        DataError: a name occurs several times, or all names are in one cell.
    """
    names = [cell.strip() for cell in cells]
    require_unique(
        "column name",
        names,
        lambda index: f"column {index + 1}",
        where=f"{path} row 1",
        next_step="rename or remove one of the columns",
    )
    expected = _separator(path)
    others = [
        mark for mark in _SEPARATORS if len(names) == 1 and mark in names[0] and mark != expected
    ]
    if others:
        rename = "rename the file to end in .tsv, or " if others[0] == "\t" else ""
        raise DataError(
            f"cells must be separated by {_SEPARATORS[expected]}, got {_SEPARATORS[others[0]]}",
            where=f"{path} row 1",
            next_step=f"{rename}save the table with {_SEPARATORS[expected]} between cells",
        )
    return names


def _header(path: Path) -> frozenset[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return frozenset(_names(next(_reader(path, file), []), path))


def _read_csv(path: Path) -> list[Row]:
    # The limit belongs to the process, so it is restored.
    limit = csv.field_size_limit(MAX_CELL)
    try:
        return list(_csv_rows(path))
    finally:
        csv.field_size_limit(limit)


def _csv_rows(path: Path) -> Iterator[Row]:
    # utf-8-sig removes the byte order mark that spreadsheet programs write.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = _reader(path, file)
        try:
            header = _names(next(reader, []), path)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise DataError(
                        f"the row must have {len(header)} cells, as the header, got {len(cells)}",
                        where=f"{path} row {reader.line_num}",
                    )
                stripped = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
                filled = {name: cell for name, cell in stripped.items() if cell}
                yield Row(reader.line_num, filled)
        except csv.Error as error:
            raise DataError(
                f"the row is malformed: {error}",
                where=f"{path} row {reader.line_num}",
                next_step="close the quotes of each cell, or write the table as JSON lines "
                "(.jsonl), which has no limit on the length of a cell",
            ) from error


def _json_rows(path: Path, used: Collection[str]) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            cells = parse_json(text, what="row", where=f"{path} row {line}")
            if not isinstance(cells, dict):
                raise DataError("the row must be a JSON object", where=f"{path} row {line}")
            filled = {name: cell for name, cell in cells.items() if cell not in (None, "")}
            if _HALF_PAIR.search(text):
                _require_text({name: filled.get(name) for name in used}, f"{path} row {line}")
            yield Row(line, filled)


def _require_text(cells: Mapping[str, Any], where: str) -> None:
    for name, cell in cells.items():
        try:
            json.dumps(cell, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise DataError(
                "a text contains half of a surrogate pair",
                where=f"{where}, column {name!r}",
                next_step="correct this value in the file",
            ) from error
