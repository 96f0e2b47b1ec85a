"""The leaderboard as a table on a terminal, or as aligned text in a pipe."""

from __future__ import annotations

from io import StringIO

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtlsearch.report._columns import Column, best_row, cells, notes

UNLIMITED = 1000
"""Columns of text: in a pipe nothing is folded."""

GAP = 2
DISPENSABLE = ("time", "state", "params")
"""Left out in this order where the terminal is too narrow, and said to be."""

FOLDED = 22
"""Columns of text that a plan gets at least."""


def table(frame: pd.DataFrame, *, width: int | None = None, colour: bool = False) -> str:
    """The leaderboard with its notes.

    Args:
        frame: what :func:`mtlsearch.results.leaderboard` gives.
        width: columns of the terminal, into which it is made to fit; None is a pipe.
        colour: whether to write colours.
    """
    stream = StringIO()
    console = Console(
        file=stream,
        width=width or UNLIMITED,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
    )
    every = cells(frame)
    shown = every if width is None else _fitting(every, width)
    console.print(_rich(frame, shown, narrow=width is not None))
    for note in notes(frame):
        console.print(Text(note, style="dim"))
    if len(shown) < len(every):
        left_out = ", ".join(column.title for column in every if column not in shown)
        console.print(Text(f"left out for want of width: {left_out}", style="dim"))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _fitting(columns: list[Column], width: int) -> list[Column]:
    """The columns without those that can be spared, as far as the width demands."""
    shown = columns
    for title in DISPENSABLE:
        if sum(_least(column) + GAP for column in shown) - GAP <= width:
            break
        shown = [column for column in shown if column.title != title]
    return shown


def _least(column: Column) -> int:
    texts = [*_folded(column.title).split("\n"), *column.cells]
    natural = max(cell_len(text) for text in texts)
    return min(natural, FOLDED) if column.folds else natural


def _rich(frame: pd.DataFrame, columns: list[Column], *, narrow: bool) -> Table:
    found = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, GAP - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )
    for column in columns:
        found.add_column(
            Text(_folded(column.title) if narrow else column.title),
            justify="right" if column.number else "left",
            no_wrap=not column.folds,
            min_width=_least(column) if narrow else None,
        )
    best = best_row(frame)
    for at in range(len(frame)):
        row = frame.iloc[at]
        is_baseline = not pd.isna(row["baseline"])
        found.add_row(
            *(Text(column.cells[at]) for column in columns),
            style=_style(str(row["state"]), best=at == best, baseline=is_baseline),
        )
    return found


def _folded(title: str) -> str:
    """A task's metric in two lines: half as wide."""
    return title.replace(".", "\n")


def _style(state: str, *, best: bool, baseline: bool) -> str:
    if best:
        return "bold green"
    if state != "complete":
        return "red" if state == "failed" else "dim"
    return "cyan" if baseline else ""
