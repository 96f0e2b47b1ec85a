"""Leaderboard as rows of an HTML table, with the numbers by which it is sorted."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import pandas as pd

from mtlsearch.report._display_columns import ERROR, formatted_columns, metric_names
from mtlsearch.report.page._summary import MINUS, SMALL, number
from mtlsearch.results import HEADINGS

HIDDEN = frozenset({"state", "time"})
"""Columns that are hidden until they are chosen; states are shown where they differ."""


@dataclass(frozen=True, slots=True)
class PageColumn:
    """One column of the table.

    Attributes:
        title: heading.
        is_number: whether the cells are aligned to the right.
        is_shown: whether the column is shown first.
        is_descending: whether the first click on the heading puts high values first.
        is_plan: whether the cells are plans, which take several lines.
    """

    title: str
    is_number: bool
    is_shown: bool
    is_descending: bool
    is_plan: bool


@dataclass(frozen=True, slots=True)
class PageCell:
    """One cell of the table.

    Attributes:
        text: the text without its standard error.
        error: standard error such as ``± 0.04``; empty if there is none.
        sort: number or text by which the column is sorted; empty if the cell is.
    """

    text: str
    error: str
    sort: str


@dataclass(frozen=True, slots=True)
class PageRow:
    """One trial.

    Attributes:
        trial: trial number.
        state: trial state.
        cells: one cell per column.
    """

    trial: int
    state: str
    cells: tuple[PageCell, ...]


def page_table(
    frame: pd.DataFrame, primary: Collection[str]
) -> tuple[list[PageColumn], list[PageRow]]:
    """Return the columns and rows of the leaderboard.

    Args:
        frame: a leaderboard with all metrics and standard errors.
        primary: columns of the primary metrics, which are shown first.

    Returns:
        All columns that a table on a terminal can have, and one row per trial.
    """
    if frame.empty:
        return [], []
    metrics = set(metric_names(frame))
    hidden = HIDDEN - {"state"} if frame["state"].nunique() > 1 else HIDDEN
    columns, cells_by_column = [], []
    for item in formatted_columns(frame):
        title = item.column.title
        source = title.rstrip(" ○●") if title.rstrip(" ○●") in metrics else title
        source = HEADINGS.get(source, source)
        columns.append(
            PageColumn(
                title,
                item.column.is_number,
                title not in hidden and (source not in metrics or source in primary),
                source in metrics or "Δm" in title or title == "beats hard",
                title == "plan",
            )
        )
        values = frame[source].tolist()
        cells = [_cell(text, value) for text, value in zip(item.cells, values, strict=True)]
        if source in metrics:
            missing = [math.nan] * len(values)
            errors = frame[f"{source}{ERROR}"].tolist() if f"{source}{ERROR}" in frame else missing
            cells = [*map(_with_small_numbers, cells, values, errors)]
        cells_by_column.append(cells)
    rows = [
        PageRow(int(number), str(state), tuple(cells))
        for number, state, cells in zip(
            frame["trial"], frame["state"], zip(*cells_by_column, strict=True), strict=True
        )
    ]
    return columns, rows


def _cell(text: str, value: object) -> PageCell:
    shown, _, error = text.partition(" ± ")
    if isinstance(value, float) and not math.isfinite(value):
        sort = ""
    else:
        sort = "" if value is None or value is pd.NA else str(value)
    shown = f"{MINUS}{shown[1:]}" if shown[:1] == "-" else shown
    return PageCell(shown, f"± {error}" if error else "", sort)


def _with_small_numbers(cell: PageCell, value: float, error: float) -> PageCell:
    """Return the cell of a metric with enough digits of a small value or standard error."""
    text = number(value) if cell.text and abs(value) < SMALL else cell.text
    is_small = cell.error and 0 < error < SMALL
    return replace(cell, text=text, error=f"± {number(error)}" if is_small else cell.error)
