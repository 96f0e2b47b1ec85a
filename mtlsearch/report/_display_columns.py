"""Leaderboard as columns of short texts, without columns in which all trials are equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from mtlsearch.report import _formatting as formatting
from mtlsearch.report._marks import BEST, FRONT, OVER_LIMITS, TIED


@dataclass(frozen=True, slots=True)
class DisplayColumn:
    """One column of a table.

    Attributes:
        title: heading.
        cells: one text per row.
        is_number: whether the cells are aligned to the right.
        is_folding: whether a long text may take several lines.
    """

    title: str
    cells: list[str]
    is_number: bool = False
    is_folding: bool = False


_IF_VARIED: tuple[tuple[str, str, Callable[[pd.Series], list[str]]], ...] = (
    ("loss_weights", "loss weights", formatting.format_weights),
    ("learning_rate", "rate", formatting.format_rate),
    ("backbone", "backbone", formatting.format_text),
    ("balancer", "balancer", formatting.format_text),
    ("distillation", "distillation", formatting.format_named),
    ("attention", "attention", formatting.format_bool),
)
"""Name, title and formatter of the columns that are shown if trials differ in them."""


def best_row(frame: pd.DataFrame) -> int | None:
    """Return the row index of the best trial; None if there is none or its row was cut."""
    best = frame.attrs.get("best")
    is_best = frame["trial"].eq(-1 if best is None else best)
    return int(is_best.argmax()) if is_best.any() else None


def metric_names(frame: pd.DataFrame) -> list[str]:
    """Return the names of the ``task.metric`` columns."""
    return [str(name) for name in frame.columns if "." in str(name)]


def display_columns(frame: pd.DataFrame) -> list[DisplayColumn]:
    """Return the columns of a table or of Markdown.

    Backbone, learning rate, loss weights and similar columns are left out if all trials are equal
    in them. Reasons of trials that are not complete are in the notes below the table.
    """
    columns = [
        DisplayColumn("trial", _trials(frame), is_number=True),
        DisplayColumn("state", formatting.format_text(frame["state"])),
        DisplayColumn("Δm %", _deltas(frame), is_number=True),
    ]
    if "delta_m_mean" in frame:
        columns.append(DisplayColumn("Δm over seeds", _over_seeds(frame), is_number=True))
    columns += [
        DisplayColumn(name, formatting.format_metrics(frame[name]), is_number=True)
        for name in metric_names(frame)
    ]
    columns += [
        DisplayColumn("params", formatting.format_counts(frame["params"]), is_number=True),
        DisplayColumn("FLOPs", formatting.format_counts(frame["flops"]), is_number=True),
    ]
    if "latency_ms" in frame:
        latencies = formatting.format_milliseconds(frame["latency_ms"])
        columns.append(DisplayColumn("latency", latencies, is_number=True))
    seconds = formatting.format_durations(frame["seconds"])
    columns.append(DisplayColumn("time", seconds, is_number=True))
    for name, title, format_column in _IF_VARIED:
        if name in frame and frame[name].nunique(dropna=False) > 1:
            is_number = name in ("loss_weights", "learning_rate")
            columns.append(DisplayColumn(title, format_column(frame[name]), is_number=is_number))
    return [*columns, DisplayColumn("plan", _plans(frame), is_folding=True)]


def _trials(frame: pd.DataFrame) -> list[str]:
    """Return the trial numbers with their marks."""
    best = best_row(frame)
    marks = [BEST if index == best else "" for index in range(len(frame))]
    for mark, name in ((TIED, "tied_with_best"), (FRONT, "pareto"), (OVER_LIMITS, "over_limits")):
        if name in frame:
            marks = [
                text + mark * is_marked for text, is_marked in zip(marks, frame[name], strict=True)
            ]
    return [f"{mark} {number}".strip() for mark, number in zip(marks, frame["trial"], strict=True)]


def _over_seeds(frame: pd.DataFrame) -> list[str]:
    """Return mean and standard error: ``+1.20 ± 0.31``."""
    return [
        formatting.MISSING if pd.isna(mean) else f"{mean:+.2f} ± {stderr:.2f}"
        for mean, stderr in zip(frame["delta_m_mean"], frame["delta_m_stderr"], strict=True)
    ]


def _deltas(frame: pd.DataFrame) -> list[str]:
    """Return Δm; for a paused trial, Δm at its rung in parentheses."""
    deltas = formatting.format_percents(frame["delta_m"])
    if "delta_m_when_paused" not in frame:
        return deltas
    at_rung = formatting.format_percents(frame["delta_m_when_paused"])
    return [
        f"({paused}) at {epoch}" if paused else delta
        for delta, paused, epoch in zip(deltas, at_rung, frame["epochs"], strict=True)
    ]


def _plans(frame: pd.DataFrame) -> list[str]:
    return [
        plan if pd.isna(baseline) else f"{plan} (baseline)"
        for plan, baseline in zip(frame["plan"], frame["baseline"].astype(object), strict=True)
    ]
