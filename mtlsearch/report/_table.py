"""Leaderboard as a table for a terminal, or as aligned text for a pipe."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtlsearch.report._display_columns import FormattedColumn, best_row, formatted_columns
from mtlsearch.report._notes import notes
from mtlsearch.report._wrap import longest_line, wrap_plan

GAP = 2
MIN_FOLDED = 22
"""Minimum width of a column that folds, in characters."""


def render_table(frame: pd.DataFrame, *, width: int | None = None, color: bool = False) -> str:
    """Return the leaderboard and its notes as text.

    Args:
        frame: a leaderboard of :func:`mtlsearch.results.leaderboard`.
        width: width of the terminal in characters; None for a pipe, in which nothing is wrapped.
            The table is wider if its number, Δm and plan do not fit: no number is cut.
        color: whether to write ANSI colors.
    """
    columns = formatted_columns(frame)
    is_narrow = width is not None
    shown = columns if width is None else _wrap(_fit_width(columns, width), width)
    table_width = sum(_natural_width(item, is_narrow=is_narrow) + GAP for item in shown)
    stream = StringIO()
    console = Console(
        file=stream,
        width=max(width or 0, table_width),
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    console.print(_rich(frame, shown, narrow=is_narrow))
    titles = {item.column.title for item in shown}
    hidden = [item.column.title for item in columns if item.column.title not in titles]
    lines = notes(frame)
    if hidden:
        lines.append(f"hidden, the terminal is too narrow: {', '.join(hidden)}")
    for line in lines:
        console.print(Text(line, style="dim"), soft_wrap=not is_narrow, width=width)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _fit_width(columns: list[FormattedColumn], width: int) -> list[FormattedColumn]:
    """Hide columns by their ``hide_order`` until the rest fits the width."""
    shown, optional = columns, [item for item in columns if item.column.hide_order is not None]
    for hidden in sorted(optional, key=lambda item: item.column.hide_order or 0):
        if sum(_min_width(item) + GAP for item in shown) - GAP <= width:
            break
        shown = [item for item in shown if item is not hidden]
    return shown


def _wrap(columns: list[FormattedColumn], width: int) -> list[FormattedColumn]:
    """Wrap the cells of columns that fold, so that the table fits the width if it can."""
    num_folding = sum(item.column.is_folding for item in columns) or 1
    fixed = sum(_natural_width(item) + GAP for item in columns if not item.column.is_folding)
    room = max(MIN_FOLDED, (width - fixed) // num_folding - GAP * (num_folding - 1))
    return [
        replace(item, cells=[wrap_plan(cell, room) for cell in item.cells])
        if item.column.is_folding
        else item
        for item in columns
    ]


def _min_width(item: FormattedColumn) -> int:
    natural = _natural_width(item)
    return min(natural, MIN_FOLDED) if item.column.is_folding else natural


def _natural_width(item: FormattedColumn, *, is_narrow: bool = True) -> int:
    title = _fold_title(item.column.title) if is_narrow else item.column.title
    return max(map(longest_line, [title, *item.cells]))


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
            no_wrap=True,
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
