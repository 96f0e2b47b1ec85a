"""Formatting of columns; one unit and one number of decimals per column."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
MISSING = ""


def scale_of(values: Sequence[float]) -> tuple[float, str]:
    """Return the factor and SI prefix for the largest of some counts."""
    largest = max(values, default=0.0)
    # From a tenth on: 0.61 G is as legible as 610 M and comparable with 1.83 G.
    scales = ((factor, prefix) for factor, prefix in PREFIXES if largest >= 0.1 * factor)
    return next(scales, (1.0, ""))


def format_counts(column: pd.Series) -> list[str]:
    """Format parameters or FLOPs: ``4.9 M``, ``0.61 G``."""
    values = column.tolist()
    factor, prefix = scale_of(values)
    smallest = min((value / factor for value in values if value > 0), default=1.0)
    decimals = max(1, 1 - math.floor(math.log10(smallest))) if factor > 1 else 0
    return [f"{value / factor:.{decimals}f} {prefix}".rstrip() for value in values]


def format_percents(column: pd.Series) -> list[str]:
    """Format percentages with a sign: ``+1.23``."""
    return [MISSING if pd.isna(value) else f"{value:+.2f}" for value in column]


def format_metrics(column: pd.Series) -> list[str]:
    """Format metrics: three decimals, or one for values from 100."""
    decimals = 1 if column.abs().max() >= 100 else 3
    return [MISSING if pd.isna(value) else f"{value:.{decimals}f}" for value in column]


def with_errors(cells: Sequence[str], errors: pd.Series) -> list[str]:
    """Append standard errors, with the decimals of each number: ``0.800 ± 0.045``."""
    return [
        cell if pd.isna(error) or not cell else f"{cell} ± {error:.{len(cell.partition('.')[2])}f}"
        for cell, error in zip(cells, errors, strict=True)
    ]


def format_durations(column: pd.Series) -> list[str]:
    """Format seconds: ``9.3 s``, ``142 s``, ``17 min``."""
    return [_format_duration(value) for value in column]


def format_milliseconds(column: pd.Series) -> list[str]:
    """Format latencies: ``12.3 ms``."""
    return [MISSING if pd.isna(value) else f"{value:.1f} ms" for value in column]


def format_significant_digits(column: pd.Series) -> list[str]:
    """Format numbers by three significant digits without trailing zeros: ``0.003``."""
    return [MISSING if pd.isna(value) else f"{value:.3g}" for value in column]


def format_probabilities(column: pd.Series) -> list[str]:
    """Format probabilities in percent, never 0 or 100: ``93 %``, ``> 99 %``."""
    return [MISSING if pd.isna(value) else _format_probability(value) for value in column]


def format_text(column: pd.Series) -> list[str]:
    """Convert a column to texts; missing values become empty."""
    return [str(value) for value in column.astype(object).where(column.notna(), MISSING)]


def format_named(column: pd.Series) -> list[str]:
    """Format a name with an optional number of three significant digits: ``mutual 0.157``."""
    split = [value.partition(" ") for value in format_text(column)]
    return [f"{name} {float(number):.3g}" if number else name for name, _, number in split]


def format_bool(column: pd.Series) -> list[str]:
    """Format booleans: ``yes`` or empty."""
    return ["yes" if value else MISSING for value in column]


def format_weights(column: pd.Series) -> list[str]:
    """Format loss weights in the order of tasks: ``0.50 / 2.00 / 0.50``, or ``equal``."""
    return [_format_weights(value) for value in format_text(column)]


def _format_duration(value: float) -> str:
    if math.isnan(value):
        return MISSING
    if value < 100:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 1000 else f"{value / 60:.0f} min"


def _format_probability(value: float) -> str:
    if value > 0.99:
        return "> 99 %"
    return "< 1 %" if value < 0.01 else f"{100 * value:.0f} %"


def _format_weights(text: str) -> str:
    numbers = [float(pair.partition("=")[2]) for pair in text.split(", ")] if text else []
    if numbers and len(set(numbers)) == 1:
        return "equal"
    return " / ".join(f"{number:.2f}" for number in numbers)
