"""Table of the columns that a table and Markdown show: :data:`DISPLAY_COLUMNS`.

A new column of ``mtlsearch/results/_columns.py`` is in CSV and JSON. To show it in a table and in
Markdown too, append a :class:`DisplayColumn` here. Its formatter is in ``_formatting.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from mtlsearch.report import _formatting as formatting
from mtlsearch.report._marks import (
    BEST,
    FRONT,
    NOISE,
    NOT_COUNTED,
    OVER_LIMITS,
    SATURATED,
    TIED,
    ZERO_CLASS,
)

MARKS = (
    (TIED, "tied_with_best"),
    (FRONT, "pareto"),
    (OVER_LIMITS, "over_limits"),
    (NOT_COUNTED, "not_counted"),
    (SATURATED, "saturated"),
    (NOISE, "is_noise"),
)
"""Marks of trials and the columns that are true or not empty for them."""

ERROR = "_error"
"""End of the name of a column with standard errors."""

HIDE_METRICS = 1000
"""The metrics have a ``hide_order`` above this number, the last metric the lowest."""

FrameFormatter = Callable[[pd.DataFrame], list[str]]
"""Function from a leaderboard to one text per row."""


@dataclass(frozen=True, slots=True)
class DisplayColumn:
    """One column of a table.

    Attributes:
        title: heading.
        format: returns the cells.
        is_shown: function from the leaderboard to whether the column is shown.
        is_number: whether the cells are aligned to the right.
        is_folding: whether a long text may take several lines.
        is_before_metrics: whether the column precedes those of the metrics.
        hide_order: place among the columns to hide, from 1, if the terminal is too narrow; None:
            the column is never hidden.
    """

    title: str
    format: FrameFormatter
    is_shown: Callable[[pd.DataFrame], bool] = lambda frame: True
    is_number: bool = False
    is_folding: bool = False
    is_before_metrics: bool = False
    hide_order: int | None = None


@dataclass(frozen=True, slots=True)
class FormattedColumn:
    """A display column with its cells.

    Attributes:
        column: the display column.
        cells: one text per row.
    """

    column: DisplayColumn
    cells: list[str]


def best_row(frame: pd.DataFrame) -> int | None:
    """Return the row index of the best trial; None if there is none or its row was cut."""
    best = frame.attrs.get("best")
    is_best = frame["trial"].eq(-1 if best is None else best)
    return int(is_best.argmax()) if is_best.any() else None


def metric_names(frame: pd.DataFrame) -> list[str]:
    """Return the names of the ``task.metric`` columns."""
    names = [str(name) for name in frame.columns if "." in str(name)]
    return [name for name in names if error_of(frame, name.removesuffix(ERROR)) != name]


def error_of(frame: pd.DataFrame, name: str) -> str | None:
    """Return the column with the standard errors of a column; None if there is none."""
    error = f"{name}{ERROR}"
    return error if name in frame and error in frame else None


def formatted_columns(frame: pd.DataFrame) -> list[FormattedColumn]:
    """Return the columns of a table or of Markdown with their cells.

    Reasons of trials that are not complete are in the notes below the table.
    """
    before = [column for column in DISPLAY_COLUMNS if column.is_before_metrics]
    names = metric_names(frame)
    metrics = [
        DisplayColumn(
            _metric_title(frame, name),
            _metric_cells(name),
            is_number=True,
            hide_order=HIDE_METRICS + len(names) - index,
        )
        for index, name in enumerate(names)
    ]
    after = [column for column in DISPLAY_COLUMNS if not column.is_before_metrics]
    return [
        FormattedColumn(column, column.format(frame))
        for column in (*before, *metrics, *after)
        if column.is_shown(frame)
    ]


def _metric_cells(name: str) -> FrameFormatter:
    """Return the formatter of a metric, which marks trials with a class of the task at 0."""

    def format_cells(frame: pd.DataFrame) -> list[str]:
        by_class = frame.attrs.get("zero_classes", {}).get(name.partition(".")[0], {})
        marked = {number for numbers in by_class.values() for number in numbers}
        error = error_of(frame, name)
        cells = formatting.format_metrics(frame[name])
        if error is not None:
            cells = formatting.with_errors(cells, frame[error])
        return [
            f"{ZERO_CLASS} {cell}" if number in marked and cell else cell
            for number, cell in zip(frame["trial"], cells, strict=True)
        ]

    return format_cells


def _metric_title(frame: pd.DataFrame, name: str) -> str:
    """Return the name of a metric, marked if its baseline is near a bound."""
    if name in frame.attrs.get("not_counted", ()):
        return f"{name} {NOT_COUNTED}"
    return f"{name} {SATURATED}" if name in frame.attrs.get("saturated", ()) else name


def _trials(frame: pd.DataFrame) -> list[str]:
    """Return the trial numbers with their marks."""
    best = best_row(frame)
    marks = [BEST if index == best else "" for index in range(len(frame))]
    for mark, name in MARKS:
        if name in frame:
            is_marked = frame[name].fillna("").astype(bool)
            marks = [text + mark * is_row for text, is_row in zip(marks, is_marked, strict=True)]
    return [f"{mark} {number}".strip() for mark, number in zip(marks, frame["trial"], strict=True)]


def _over_seeds(frame: pd.DataFrame) -> list[str]:
    """Return mean and standard error: ``+1.20 ± 0.31``."""
    return [
        formatting.MISSING if pd.isna(mean) else f"{mean:+.2f} ± {stderr:.2f}"
        for mean, stderr in zip(frame["delta_m_mean"], frame["delta_m_stderr"], strict=True)
    ]


def _expected(frame: pd.DataFrame) -> list[str]:
    """Return expected Δm and its standard deviation: ``+1.20 ± 0.80``."""
    means = formatting.format_percents(frame["expected_delta_m"])
    return formatting.with_errors(means, frame["expected_delta_m_sd"])


def _deltas(frame: pd.DataFrame) -> list[str]:
    """Return Δm; for a paused trial, Δm at its rung in parentheses."""
    deltas = formatting.format_percents(frame["delta_m"])
    error = error_of(frame, "delta_m")
    if error is not None:
        deltas = formatting.with_errors(deltas, frame[error])
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


def _of(name: str, format_column: Callable[[pd.Series], list[str]]) -> FrameFormatter:
    """Return a formatter of one column of the leaderboard."""
    return lambda frame: format_column(frame[name])


def _where_known(name: str, format_column: Callable[[pd.Series], list[str]]) -> FrameFormatter:
    """Return a formatter of a column that some trials lack."""

    def format_cells(frame: pd.DataFrame) -> list[str]:
        values = frame[name].dropna()
        cells = dict(zip(values.index, format_column(values), strict=True))
        return [cells.get(index, formatting.MISSING) for index in frame.index]

    return format_cells


def _if_included(name: str) -> Callable[[pd.DataFrame], bool]:
    return lambda frame: name in frame


def _if_known(name: str) -> Callable[[pd.DataFrame], bool]:
    """Return the condition that a trial has a value in a column."""
    return lambda frame: name in frame and bool(frame[name].notna().any())


def _if_varied(name: str) -> Callable[[pd.DataFrame], bool]:
    """Return the condition that trials differ in a column."""
    return lambda frame: name in frame and frame[name].nunique(dropna=False) > 1


DISPLAY_COLUMNS: tuple[DisplayColumn, ...] = (
    DisplayColumn("trial", _trials, is_number=True, is_before_metrics=True),
    DisplayColumn(
        "state", _of("state", formatting.format_text), is_before_metrics=True, hide_order=2
    ),
    DisplayColumn("Δm %", _deltas, is_number=True, is_before_metrics=True),
    DisplayColumn(
        "expected Δm %",
        _expected,
        _if_known("expected_delta_m"),
        is_number=True,
        is_before_metrics=True,
    ),
    DisplayColumn(
        "beats hard",
        _of("beats_hard", formatting.format_probabilities),
        _if_known("beats_hard"),
        is_number=True,
        is_before_metrics=True,
        hide_order=12,
    ),
    DisplayColumn(
        "seeds",
        _of("num_seeds", formatting.format_significant_digits),
        lambda frame: bool(frame["num_seeds"].max() > 1),
        is_number=True,
        is_before_metrics=True,
        hide_order=13,
    ),
    DisplayColumn(
        "Δm over seeds",
        _over_seeds,
        _if_included("delta_m_mean"),
        is_number=True,
        is_before_metrics=True,
    ),
    DisplayColumn(
        "parent",
        _of("parent", formatting.format_significant_digits),
        _if_included("parent"),
        is_number=True,
    ),
    DisplayColumn("params", _of("params", formatting.format_counts), is_number=True, hide_order=3),
    DisplayColumn("FLOPs", _of("flops", formatting.format_counts), is_number=True, hide_order=5),
    DisplayColumn(
        "added params",
        _where_known("added_params", formatting.format_counts),
        _if_included("added_params"),
        is_number=True,
        hide_order=14,
    ),
    DisplayColumn(
        "added FLOPs",
        _where_known("added_flops", formatting.format_counts),
        _if_included("added_flops"),
        is_number=True,
        hide_order=15,
    ),
    DisplayColumn(
        "added latency",
        _of("added_latency_ms", formatting.format_milliseconds),
        _if_known("added_latency_ms"),
        is_number=True,
        hide_order=16,
    ),
    DisplayColumn(
        "drop %",
        _of("drop", formatting.format_significant_digits),
        _if_included("drop"),
        is_number=True,
    ),
    DisplayColumn(
        "latency",
        _of("latency_ms", formatting.format_milliseconds),
        _if_included("latency_ms"),
        is_number=True,
        hide_order=4,
    ),
    DisplayColumn(
        "time", _of("seconds", formatting.format_durations), is_number=True, hide_order=1
    ),
    DisplayColumn(
        "loss weights",
        _of("loss_weights", formatting.format_weights),
        _if_varied("loss_weights"),
        is_number=True,
        hide_order=11,
    ),
    DisplayColumn(
        "rate",
        _of("learning_rate", formatting.format_significant_digits),
        _if_varied("learning_rate"),
        is_number=True,
        hide_order=10,
    ),
    DisplayColumn(
        "backbone",
        _of("backbone", formatting.format_text),
        _if_varied("backbone"),
        hide_order=9,
    ),
    DisplayColumn(
        "balancer",
        _of("balancer", formatting.format_text),
        _if_varied("balancer"),
        hide_order=8,
    ),
    DisplayColumn(
        "distillation",
        _of("distillation", formatting.format_named),
        _if_varied("distillation"),
        hide_order=7,
    ),
    DisplayColumn(
        "attention",
        _of("attention", formatting.format_bool),
        _if_varied("attention"),
        hide_order=6,
    ),
    DisplayColumn("plan", _plans, is_folding=True),
)
"""All columns of a table in order, without those of the metrics."""
