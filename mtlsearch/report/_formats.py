"""The leaderboard in every format it is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, get_args

import pandas as pd

from mtlsearch.errors import ConfigError, did_you_mean
from mtlsearch.files import atomic_write
from mtlsearch.report._columns import cells, notes
from mtlsearch.report._table import table as as_table

Format = Literal["table", "csv", "json", "markdown"]
FORMATS: tuple[str, ...] = get_args(Format)


def render(
    frame: pd.DataFrame, form: str = "table", *, width: int | None = None, colour: bool = False
) -> str:
    """A leaderboard as text that ends with a newline.

    ``table`` and ``markdown`` are for people: few digits, marks, what says nothing left
    out. ``csv`` and ``json`` (a list of objects, null where a value is missing) are for
    programs: every column, every digit.

    Args:
        frame: what :func:`mtlsearch.results.leaderboard` gives.
        form: one of :data:`FORMATS`.
        width: columns of the terminal, for ``table``; None is a pipe.
        colour: whether ``table`` may write colours.

    Raises:
        ConfigError: there is no such format.
    """
    if form == "table":
        return as_table(frame, width=width, colour=colour)
    if form == "csv":
        return frame.to_csv(index=False, lineterminator="\n")
    if form == "json":
        return _json(frame)
    if form == "markdown":
        return _markdown(frame)
    raise ConfigError(
        f"there is no format {form!r}{did_you_mean(form, FORMATS)}",
        where="--format",
        allowed=FORMATS,
    )


def write(frame: pd.DataFrame, path: Path, form: str) -> None:
    """Write a leaderboard to a file, which appears whole or not at all.

    Raises:
        ConfigError: there is no such format.
    """
    text = render(frame, form)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _json(frame: pd.DataFrame) -> str:
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _markdown(frame: pd.DataFrame) -> str:
    columns = cells(frame)
    body = pd.DataFrame({at.title: [_escaped(cell) for cell in at.cells] for at in columns})
    table = body.to_markdown(
        index=False,
        disable_numparse=True,
        colalign=["right" if column.number else "left" for column in columns],
    )
    return "\n\n".join([table, *map(_escaped, notes(frame))]) + "\n"


def _escaped(text: str) -> str:
    """The text with what Markdown would read as the end of a cell taken literally."""
    return text.replace("|", "\\|")
