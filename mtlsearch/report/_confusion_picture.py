"""Picture of a confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mtlsearch.evaluation import TaskEvaluation
from mtlsearch.report._picture_file import save_picture

INK, PAPER = "#22272e", "white"
MAX_NUMBERS = 20
"""Number of classes up to which cells contain numbers."""

MAX_NAMES = 100
"""Number of classes up to which the axes have class names."""

SIDE_PER_CLASS, MIN_SIDE, MAX_SIDE = 0.55, 4.5, 18.0  # inches
MAX_NAME = 24
"""Number of characters of a class name."""


def draw_confusion(title: str, task: TaskEvaluation, path: Path) -> None:
    """Draw a confusion matrix; the color is the fraction of the true class.

    Args:
        title: heading.
        task: results of a task with a confusion matrix.
        path: the PNG file to write.
    """
    _figure({title: task}).savefig(path, format="png")


def draw_confusions(task_by_title: Mapping[str, TaskEvaluation], path: Path) -> None:
    """Draw the confusion matrices of several tasks side by side.

    Args:
        task_by_title: results of tasks with a confusion matrix, by heading; at least one.
        path: a ``.png``, ``.svg`` or ``.pdf`` file; the write is atomic.
    """
    save_picture(_figure(task_by_title), path)


def _figure(task_by_title: Mapping[str, TaskEvaluation]) -> Figure:
    sides = [
        min(max(SIDE_PER_CLASS * len(_matrix(task)) + 2, MIN_SIDE), MAX_SIDE)
        for task in task_by_title.values()
    ]
    widths = [side + 0.6 for side in sides]
    figure = Figure(
        figsize=(sum(widths), max(sides)), dpi=120, facecolor=PAPER, layout="constrained"
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    for axes, (title, task) in zip(grid, task_by_title.items(), strict=True):
        _draw(figure, axes, title, task)
    return figure


def _matrix(task: TaskEvaluation) -> NDArray[np.int64]:
    return np.zeros((0, 0), np.int64) if task.confusion is None else task.confusion


def _draw(figure: Figure, axes: Axes, title: str, task: TaskEvaluation) -> None:
    matrix = _matrix(task)
    totals = matrix.sum(axis=1, keepdims=True)
    fractions = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    image = axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, shrink=0.8, label="fraction of the true class")
    axes.set_title(title, color=INK)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if len(matrix) <= MAX_NAMES:
        names = [_shorten(name) for name in task.confusion_names]
        size = 9 if len(matrix) <= MAX_NUMBERS else 6
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=size)
        axes.set_yticks(range(len(names)), names, fontsize=size)
    if len(matrix) <= MAX_NUMBERS:
        for row, column in np.ndindex(matrix.shape):
            color = PAPER if fractions[row, column] > 0.5 else INK
            text = _cell(matrix, fractions, row, column)
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)


def _cell(matrix: NDArray[np.int64], fractions: NDArray[np.float64], row: int, column: int) -> str:
    """Return the count, or the percentage where counts have many digits; zeros are empty."""
    if not matrix[row, column]:
        return ""
    if matrix.max() < 10_000:
        return str(matrix[row, column])
    return f"{100 * fractions[row, column]:.1f} %"


def _shorten(name: str) -> str:
    # Matplotlib reads "$" as the start of a formula.
    text = name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
    return text.replace("$", r"\$")
