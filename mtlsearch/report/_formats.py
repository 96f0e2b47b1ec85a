"""Leaderboard in each output format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from mtlsearch.errors import ConfigError, did_you_mean
from mtlsearch.files import atomic_write
from mtlsearch.report._display_columns import formatted_columns
from mtlsearch.report._notes import notes
from mtlsearch.report._table import render_table

Format = Literal["table", "csv", "json", "markdown"]
FORMATS: tuple[str, ...] = get_args(Format)


def render(
    frame: pd.DataFrame, form: str = "table", *, width: int | None = None, color: bool = False
) -> str:
    """Return a leaderboard as text that ends with a newline.

    ``table`` and ``markdown`` are for reading: few digits, marks and notes, without columns in
    which all trials are equal. ``csv`` and ``json`` (a list of objects, null for missing values)
    are for programs: all columns, all digits.

    Args:
        frame: a leaderboard of :func:`mtlsearch.results.leaderboard`.
        form: one of :data:`FORMATS`.
        width: width of the terminal in characters, for ``table``; None for a pipe.
        color: whether ``table`` contains ANSI colors.

    Returns:
        The text.

    Raises:
        ConfigError: the format does not exist.
    """
    if form == "table":
        return render_table(frame, width=width, color=color)
    if form == "csv":
        return frame.to_csv(index=False, lineterminator="\n")
    if form == "json":
        return json_rows(frame)
    if form == "markdown":
        return _markdown(frame)
    raise ConfigError(
        f"the format {form!r} does not exist{did_you_mean(form, FORMATS)}",
        where="--format",
        allowed=FORMATS,
    )


def write(frame: pd.DataFrame, path: Path, form: str) -> None:
    """Write a leaderboard to a file, atomically.

    Args:
        frame: a leaderboard of :func:`mtlsearch.results.leaderboard`.
        path: the file to write.
        form: one of :data:`FORMATS`.

    Raises:
        ConfigError: the format does not exist.
    """
    text = render(frame, form)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def json_rows(frame: pd.DataFrame) -> str:
    """Return a frame as a JSON list of objects, with null for missing values."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _markdown(frame: pd.DataFrame) -> str:
    columns = formatted_columns(frame)
    body = pd.DataFrame(
        {item.column.title: [_escape(cell) for cell in item.cells] for item in columns}
    )
    table = body.to_markdown(
        index=False,
        disable_numparse=True,
        colalign=["right" if item.column.is_number else "left" for item in columns],
    )
    return "\n\n".join([table, *map(_escape, notes(frame))]) + "\n"


def _escape(text: str) -> str:
    """Escape the characters that end a cell in Markdown."""
    return text.replace("|", "\\|")
