"""Drawings of matrices: affinity with a symmetric color scale, and confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from mtlsearch.report.page._svg import drawing, tag

CELL = 46.0
CHARACTER = 6.6
"""Width of a character of a small text."""

MAX_NAME = 18
"""Number of characters of a name."""

STRONG = 0.55
"""Opacity from which a text in a cell is inverted."""

Matrix = NDArray[np.float64]


def draw_signed_matrix(
    values: Matrix,
    rows: Sequence[str],
    columns: Sequence[str],
    limit: float,
    label: str,
    format_value: Callable[[float], str] = "{:+.2f}".format,
    max_name: int = MAX_NAME,
) -> Markup:
    """Draw numbers with a color scale that is symmetric around 0.

    Args:
        values: ``[R, C]``; NaN where a number is unknown.
        rows: names of the rows.
        columns: names of the columns.
        limit: absolute value of the strongest color.
        label: description for screen readers.
        format_value: function from a number to its text.
        max_name: number of characters of a row's name.

    Returns:
        The ``svg`` element: positive numbers have one hue, negative ones another, and the opacity
        is the magnitude.
    """

    def cell(row: int, column: int) -> tuple[str, float, str]:
        value = float(values[row, column])
        if not math.isfinite(value):
            return "unknown", 0.0, "?"
        text = format_value(value).replace("-", "\N{MINUS SIGN}")
        if not any(digit in "123456789" for digit in text):
            text = "0"  # without a sign
        return "positive" if value > 0 else "negative", min(1.0, abs(value) / limit), text

    names = [shorten(name, max_name) for name in rows]
    return _draw(values.shape, names, columns, cell, label, CELL)


def draw_confusion(
    matrix: NDArray[np.int64], names: Sequence[str], label: str, *, is_percent: bool
) -> Markup:
    """Draw a confusion matrix; the opacity is the fraction of the true class.

    Args:
        matrix: ``[true class, predicted class]``, counts.
        names: names of the classes.
        label: description for screen readers.
        is_percent: whether cells contain the percentage of the true class instead of the count.

    Returns:
        The ``svg`` element.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    fractions = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)

    def cell(row: int, column: int) -> tuple[str, float, str]:
        fraction, count = float(fractions[row, column]), int(matrix[row, column])
        text = f"{100 * fraction:.1f}" if is_percent else str(count)
        return "accent", fraction, text if count else ""

    side = max(22.0, min(CELL, 420.0 / len(names)))
    return _draw(matrix.shape, [*map(shorten, names)], names, cell, label, side)


def _draw(
    shape: tuple[int, ...],
    rows: Sequence[str],
    columns: Sequence[str],
    cell: Callable[[int, int], tuple[str, float, str]],
    label: str,
    side: float,
) -> Markup:
    column_names = [*map(shorten, columns)]
    left = 12 + CHARACTER * max(map(len, rows))
    longest = CHARACTER * max(map(len, column_names))
    is_slanted = longest > side - 4
    top = 0.72 * longest + 14 if is_slanted else 20.0
    parts = []
    for row in range(shape[0]):
        center = top + side * (row + 0.5) + 4
        parts.append(tag("text", rows[row], x=left - 7, y=center, class_="tick end"))
        for column in range(shape[1]):
            parts += _cell(left + side * column, top + side * row, side, *cell(row, column))
    for column, name in enumerate(column_names):
        x = left + side * (column + 0.5)
        if is_slanted:
            turn = f"rotate(-40 {x:.1f} {top - 7:.1f})"
            parts.append(tag("text", name, x=x - 2, y=top - 7, transform=turn, class_="tick"))
        else:
            parts.append(tag("text", name, x=x, y=top - 8, class_="tick middle"))
    width = left + side * shape[1] + (0.77 * longest if is_slanted else 4)
    return drawing(width, top + side * shape[0] + 4, label, *parts, class_="matrix")


def _cell(
    left: float, top: float, side: float, kind: str, strength: float, text: str
) -> list[Markup]:
    box = tag(
        "rect",
        x=left + 1,
        y=top + 1,
        width=side - 2,
        height=side - 2,
        rx=3,
        class_=f"cell {kind}",
        fill_opacity=f"{strength:.2f}",
    )
    ink = "inverse" if strength > STRONG else ""
    number = tag(
        "text", text, x=left + side / 2, y=top + side / 2 + 4, class_=f"value middle {ink}".strip()
    )
    return [box, number] if text else [box]


def shorten(name: str, length: int = MAX_NAME) -> str:
    """Return at most some characters of a name.

    Args:
        name: the name.
        length: number of characters.

    Returns:
        The name, or its beginning and an ellipsis.
    """
    return name if len(name) <= length else f"{name[: length - 1]}…"
