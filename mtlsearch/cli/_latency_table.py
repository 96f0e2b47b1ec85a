"""Table of latencies, of ``benchmark`` and at the end of ``export``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtlsearch.export import Latency


LATENCY_NOTE = (
    "sum: one network per task, one after the other; ratio: all tasks in one network, relative to "
    "that sum (below 1 is faster)"
)
"""Meaning of the columns of :func:`latency_table`."""


def latency_table(results: Sequence[Latency]) -> tuple[list[str], list[list[str]]]:
    """Return column names and rows of a table.

    Args:
        results: at least one measurement.

    Returns:
        Names and cells.
    """
    alone = [f"{task} alone" for task in results[0].by_task]
    columns = ["runtime", "batch", "all tasks", *alone, "sum", "ratio", "images/s"]
    rows = [
        [
            result.runtime,
            str(result.batch_size),
            f"{result.combined:.1f} ms",
            *(f"{value:.1f} ms" for value in result.by_task.values()),
            f"{result.separate:.1f} ms",
            f"{result.combined / result.separate:.2f}",
            f"{1000 * result.batch_size / result.combined:.1f}",
        ]
        for result in results
    ]
    return columns, rows


def short_latency_lines(results: Sequence[Latency]) -> list[str]:
    """Return one line per measurement, without the single tasks.

    Args:
        results: the measurements.
    """
    return [
        f"{result.runtime}, batch {result.batch_size}: {result.combined:.1f} ms, one network per "
        f"task {result.separate:.1f} ms (ratio {result.combined / result.separate:.2f})"
        for result in results
    ]
