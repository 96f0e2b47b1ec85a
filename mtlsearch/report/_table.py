"""Leaderboard as a table for a terminal, or as aligned text for a pipe."""

from __future__ import annotations

from io import StringIO

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtlsearch.report._display_columns import FormattedColumn, best_row, formatted_columns
from mtlsearch.report._notes import notes

UNLIMITED = 1000
"""Characters per line without a terminal; nothing is folded."""

GAP = 2
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
    columns = formatted_columns(frame)
    shown = columns if width is None else _fit_width(columns, width)
    console.print(_rich(frame, shown, narrow=width is not None))
    for note in notes(frame):
        console.print(Text(note, style="dim"))
    if len(shown) < len(columns):
        hidden = ", ".join(item.column.title for item in columns if item not in shown)
        console.print(Text(f"hidden, the terminal is too narrow: {hidden}", style="dim"))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _fit_width(columns: list[FormattedColumn], width: int) -> list[FormattedColumn]:
    """Hide columns by their ``hide_order`` until the rest fits the width."""
    shown, optional = columns, [item for item in columns if item.column.hide_order is not None]
    for hidden in sorted(optional, key=lambda item: item.column.hide_order or 0):
        if sum(_min_width(item) + GAP for item in shown) - GAP <= width:
            break
        shown = [item for item in shown if item is not hidden]
    return shown


def _min_width(item: FormattedColumn) -> int:
    texts = [*_fold_title(item.column.title).split("\n"), *item.cells]
    natural = max(cell_len(text) for text in texts)
    return min(natural, MIN_FOLDED) if item.column.is_folding else natural


def _rich(frame: pd.DataFrame, columns: list[FormattedColumn], *, narrow: bool) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, GAP - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )
    for item in columns:
        title = item.column.title
        table.add_column(
            Text(_fold_title(title) if narrow else title),
            justify="right" if item.column.is_number else "left",
            no_wrap=not item.column.is_folding,
            min_width=_min_width(item) if narrow else None,
        )
    best = best_row(frame)
    for index in range(len(frame)):
        row = frame.iloc[index]
        is_baseline = not pd.isna(row["baseline"])
        table.add_row(
            *(Text(item.cells[index]) for item in columns),
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
