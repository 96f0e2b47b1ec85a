"""Leaderboard as rows of an HTML table, with the numbers by which it is sorted."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from mtlsearch.report._display_columns import formatted_columns, metric_names
from mtlsearch.report.page._summary import MINUS
from mtlsearch.results import HEADINGS

HIDDEN = frozenset({"state", "time"})
"""Columns that are hidden until they are chosen."""


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
    columns, cells_by_column = [], []
    for item in formatted_columns(frame):
        title = item.column.title
        source = title.rstrip(" ○●") if title.rstrip(" ○●") in metrics else title
        source = HEADINGS.get(source, source)
        columns.append(
            PageColumn(
                title,
                item.column.is_number,
                title not in HIDDEN and (source not in metrics or source in primary),
                source in metrics or "Δm" in title or title == "beats hard",
                title == "plan",
            )
        )
        cells_by_column.append(
            [
                _cell(text, value)
                for text, value in zip(item.cells, frame[source].tolist(), strict=True)
            ]
        )
    rows = [
        PageRow(int(number), str(state), tuple(cells))
        for number, state, cells in zip(
            frame["trial"], frame["state"], zip(*cells_by_column, strict=True), strict=True
        )
    ]
    return columns, rows


def _cell(text: str, value: object) -> PageCell:
    number, _, error = text.partition(" ± ")
    if isinstance(value, float) and not math.isfinite(value):
        sort = ""
    else:
        sort = "" if value is None or value is pd.NA else str(value)
    number = f"{MINUS}{number[1:]}" if number[:1] == "-" else number
    return PageCell(number, f"± {error}" if error else "", sort)
