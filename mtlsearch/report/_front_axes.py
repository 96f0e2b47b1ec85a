"""Axes of Δm against FLOPs: style, limits and the Pareto front."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mtlsearch.report._notebook_figure import NotebookFigure

SIZE = (12.0, 7.5)  # inches of 100 pixels
INK, GRAY, GRID = "#22272e", "#8b949e", "#e6e9ed"


def front_axes(title: str, note: str, cost: str, reference: str) -> tuple[NotebookFigure, Axes]:
    """Return a figure of 1200 x 750 pixels with empty axes.

    Args:
        title: title of the axes.
        note: line below the title.
        cost: label of the horizontal axis.
        reference: what Δm refers to, for the label of the vertical axis.

    Returns:
        The figure and its axes, with a line at 0.
    """
    figure = NotebookFigure(
        figsize=SIZE,
        dpi=100,
        facecolor="white",
        layout=ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.18),
    )
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=17, color=INK, pad=26)
    axes.text(0, 1.015, note, transform=axes.transAxes, fontsize=11, color=GRAY, va="bottom")
    axes.set_xlabel(cost, fontsize=12, color=INK, labelpad=8)
    axes.set_ylabel(f"Δm against {reference}, %", fontsize=12, color=INK, labelpad=8)
    axes.tick_params(colors=INK, labelsize=11, length=0)
    axes.grid(color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.axhline(0, color=GRAY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    return figure, axes


def set_limits(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Set axis limits that leave space for labels around the outermost points.

    Args:
        axes: the axes.
        x: all horizontal positions.
        y: all vertical positions.
    """
    for values, limit in ((x, axes.set_xlim), (np.append(y, 0.0), axes.set_ylim)):
        span = float(values.max() - values.min()) or max(1.0, abs(float(values.max())))
        limit(float(values.min()) - 0.09 * span, float(values.max()) + 0.09 * span)


def draw_front(
    axes: Axes, x: np.ndarray, y: np.ndarray, on_front: np.ndarray, color: str, label: str
) -> None:
    """Draw the highest Δm for at most so many FLOPs; draw nothing without a front.

    Args:
        axes: the axes, with final limits.
        x: FLOPs of all trials.
        y: Δm of all trials.
        on_front: whether each trial is on the front.
        color: color of the line.
        label: its text in the legend.
    """
    if not on_front.any():
        return
    order = np.argsort(x[on_front], kind="stable")
    steps_x, steps_y = x[on_front][order], y[on_front][order]
    right = axes.get_xlim()[1]
    axes.step(
        np.append(steps_x, right),
        np.append(steps_y, steps_y[-1]),
        where="post",
        color=color,
        linewidth=2,
        alpha=0.75,
        label=label,
        zorder=2,
    )


def add_legend(axes: Axes) -> None:
    """Add a legend below the axes.

    Args:
        axes: the axes.
    """
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.1),
        ncols=6,
        frameon=False,
        fontsize=11,
        labelcolor=INK,
        handletextpad=0.4,
    )
