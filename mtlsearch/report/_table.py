"""Leaderboard as a table for a terminal, or as aligned text for a pipe."""

from __future__ import annotations

from io import StringIO

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtlsearch.report._display_columns import DisplayColumn, best_row, display_columns
from mtlsearch.report._notes import notes

UNLIMITED = 1000
"""Characters per line without a terminal; nothing is folded."""

GAP = 2
OPTIONAL_TITLES = ("time", "state", "params")
"""Columns to hide, in this order, if the terminal is too narrow."""

MIN_FOLDED = 22
"""Minimum width of a column that folds, in characters."""


def render_table(frame: pd.DataFrame, *, width: int | None = None, color: bool = False) -> str:
    """Return the leaderboard and its notes as text.

    Args:
        frame: a leaderboard of :func:`mtlsearch.results.leaderboard`.
        width: width of the terminal in characters; None for a pipe.
        color: whether to write ANSI colors.
    """
    stream = StringIO()
    console = Console(
        file=stream,
        width=width or UNLIMITED,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    columns = display_columns(frame)
    shown = columns if width is None else _fit_width(columns, width)
    console.print(_rich(frame, shown, narrow=width is not None))
    for note in notes(frame):
        console.print(Text(note, style="dim"))
    if len(shown) < len(columns):
        hidden = ", ".join(column.title for column in columns if column not in shown)
        console.print(Text(f"hidden, the terminal is too narrow: {hidden}", style="dim"))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _fit_width(columns: list[DisplayColumn], width: int) -> list[DisplayColumn]:
    """Remove optional columns until the rest fits the width."""
    shown = columns
    for title in OPTIONAL_TITLES:
        if sum(_min_width(column) + GAP for column in shown) - GAP <= width:
            break
        shown = [column for column in shown if column.title != title]
    return shown


def _min_width(column: DisplayColumn) -> int:
    texts = [*_fold_title(column.title).split("\n"), *column.cells]
    natural = max(cell_len(text) for text in texts)
    return min(natural, MIN_FOLDED) if column.is_folding else natural


def _rich(frame: pd.DataFrame, columns: list[DisplayColumn], *, narrow: bool) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, GAP - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )
    for column in columns:
        table.add_column(
            Text(_fold_title(column.title) if narrow else column.title),
            justify="right" if column.is_number else "left",
            no_wrap=not column.is_folding,
            min_width=_min_width(column) if narrow else None,
        )
    best = best_row(frame)
    for index in range(len(frame)):
        row = frame.iloc[index]
        is_baseline = not pd.isna(row["baseline"])
        table.add_row(
            *(Text(column.cells[index]) for column in columns),
            style=_style(str(row["state"]), best=index == best, baseline=is_baseline),
        )
    return table


def _fold_title(title: str) -> str:
    """Return the title of a metric on two lines, task and metric."""
    return title.replace(".", "\n")


def _style(state: str, *, best: bool, baseline: bool) -> str:
    if best:
        return "bold green"
    if state != "complete":
        return "red" if state == "failed" else "dim"
    return "cyan" if baseline else ""
