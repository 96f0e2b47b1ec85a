"""Results per class: one row per class, one column per trial."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from mtlsearch.report._formats import json_rows
from mtlsearch.report._formatting import format_metrics
from mtlsearch.report._marks import BEST

GAP = 2


def render_per_class(
    results: pd.DataFrame,
    frame: pd.DataFrame,
    task: str,
    form: str = "table",
    *,
    width: int | None = None,
) -> str:
    """Return the results per class of a task as text that ends with a newline.

    ``table`` and ``markdown`` show the main metric, with the trials in the order of the
    leaderboard. ``csv`` and ``json`` contain all metrics, one row per trial, metric and class.

    Args:
        results: results of :func:`mtlsearch.results.per_class_results`.
        frame: a leaderboard of :func:`mtlsearch.results.leaderboard`, which selects the trials.
        task: name of the task.
        form: ``table``, ``markdown``, ``csv`` or ``json``.
        width: width of the terminal in characters, for ``table``; trials that do not fit are
            left out, with a note. None for a pipe.

    Returns:
        The text.
    """
    numbers = [number for number in frame["trial"] if (results["trial"] == number).any()]
    selected = results[results["trial"].isin(numbers)]
    if form == "csv":
        return selected.to_csv(index=False, lineterminator="\n")
    if form == "json":
        return json_rows(selected)
    metric = str(results["metric"].iloc[0])
    values = selected[selected["metric"] == metric].pivot(
        index="class", columns="trial", values="value"
    )
    values = values.loc[list(dict.fromkeys(selected["class"])), numbers]
    columns = {
        f"{BEST} {number}" if number == frame.attrs.get("best") else str(number): format_metrics(
            values[number]
        )
        for number in numbers
    }
    classes = [str(name) for name in values.index]
    shown = columns if width is None or form == "markdown" else _fit(classes, columns, width)
    title = f"{task}.{metric} by class (rows) and trial (columns), on the validation images"
    alignment = ["left", *["right"] * len(shown)]
    table = tabulate(
        [list(row) for row in zip(classes, *shown.values(), strict=True)],
        ["class", *shown],
        tablefmt="pipe" if form == "markdown" else "simple",
        disable_numparse=True,
        colalign=alignment,
    )
    lines = [title, "", table]
    if hidden := [name for name in columns if name not in shown]:
        lines += ["", f"hidden, the terminal is too narrow: trials {', '.join(hidden)}"]
    return "\n".join(lines) + "\n"


def _fit(classes: list[str], columns: dict[str, list[str]], width: int) -> dict[str, list[str]]:
    """Return the first columns that fit the width, at least one."""
    # tabulate makes a column two characters wider than its heading.
    used = max(len("class") + GAP, *map(len, classes))
    shown: dict[str, list[str]] = {}
    for name, cells in columns.items():
        used += GAP + max(len(name) + GAP, *map(len, cells))
        if used > width and shown:
            break
        shown[name] = cells
    return shown
