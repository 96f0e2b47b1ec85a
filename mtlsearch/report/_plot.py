"""Plot of Δm against FLOPs."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mtlsearch.errors import ConfigError, RunError
from mtlsearch.files import atomic_write
from mtlsearch.report._display_columns import best_row
from mtlsearch.report._formatting import scale_of
from mtlsearch.report._label_placement import label_points
from mtlsearch.report._notebook_figure import NotebookFigure

SIZE = (12.0, 7.5)  # inches of 100 pixels
INK, GRAY, GRID = "#22272e", "#8b949e", "#e6e9ed"
TRIAL, FRONT, INDEPENDENT, HARD = "#9db4d0", "#1f6feb", "#d1495b", "#edae49"
BASELINES = {"independent": (INDEPENDENT, "s"), "hard": (HARD, "D")}
AXES = {"delta_m", "flops"}
"""Names of the objectives that the axes show."""

MAX_NOTE = 130  # characters, so that the note fits the width
SUFFIXES = {".png": "png", ".svg": "svg", ".pdf": "pdf"}


def plot(frame: pd.DataFrame, path: Path) -> None:
    """Draw all trials with a Δm and the baselines.

    The trials on the Pareto front of the objectives are marked. A line joins them if the
    objectives are the two axes.

    Args:
        frame: a leaderboard of :func:`mtlsearch.results.leaderboard`.
        path: a ``.png`` (1200 x 750 pixels), ``.svg`` or ``.pdf`` file; the write is atomic.

    Raises:
        ConfigError: the suffix is not one of these.
        RunError: no trial has a Δm yet.
    """
    require_picture(path)
    figure = front_figure(frame)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=SUFFIXES[path.suffix.lower()])


def front_figure(frame: pd.DataFrame) -> Figure:
    """Return the drawing of :func:`plot`.

    Args:
        frame: a leaderboard of :func:`mtlsearch.results.leaderboard`.

    Returns:
        A figure of 1200 x 750 pixels, which a notebook shows.

    Raises:
        RunError: no trial has a Δm yet.
    """
    measured = frame[frame["delta_m"].notna()]
    if measured.empty:
        raise RunError(
            "no trial has a Δm yet, so the plot would be empty",
            next_step="resume the run by `mtlsearch search`; it trains both baselines first",
        )
    return _figure(measured, missing=len(frame) - len(measured))


def require_picture(path: Path, *, option: str = "--plot") -> None:
    """Check that the suffix of a file is a supported picture format.

    Args:
        path: the file; it need not exist.
        option: the option that names it, for the message.

    Raises:
        ConfigError: the suffix is not ``.png``, ``.svg`` or ``.pdf``.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"the picture format {path.suffix or 'without a suffix'} is not supported",
            where=f"{option} {path}",
            allowed=list(SUFFIXES),
        )


def _figure(frame: pd.DataFrame, *, missing: int) -> Figure:
    figure = NotebookFigure(
        figsize=SIZE,
        dpi=100,
        facecolor="white",
        layout=ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.18),
    )
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    factor, prefix = scale_of(frame["flops"].tolist())
    x = frame["flops"].to_numpy(np.float64) / factor
    y = frame["delta_m"].to_numpy(np.float64)
    _style_axes(axes, f"{prefix}FLOPs for one image", _note(frame, missing))
    _set_limits(axes, x, y)
    if set(frame.attrs["front"]) == AXES:
        _front(axes, x, y, frame["pareto"].to_numpy(bool))
    _trials(axes, frame, x, y)
    first = [*np.flatnonzero(frame["baseline"].notna() | frame["pareto"])]
    if (best := best_row(frame)) is not None:
        _ring(axes, float(x[best]), float(y[best]))
        first.append(best)
    _legend(axes)
    figure.draw_without_rendering()  # label positions depend on the layout of the axes
    label_points(axes, x, y, _names(frame), first=list(dict.fromkeys(map(int, first))))
    return figure


def _note(frame: pd.DataFrame, missing: int) -> str:
    """Return the line below the title: the best trial, and the number of trials not drawn."""
    index, number = best_row(frame), frame.attrs.get("best")
    note = "no trial is within the limits" if number is None else f"best: trial {number}, not drawn"
    if index is not None:
        best = frame.iloc[index]
        value = f"{best['delta_m']:+.2f} %"
        if not pd.isna(best["expected_delta_m"]):
            deviation = best["expected_delta_m_sd"]
            value = (
                f"expected {best['expected_delta_m']:+.2f} ± {deviation:.2f} %, measured {value}"
            )
        note = f"best: trial {best['trial']} with {value}, plan {best['plan']}"
    note = shorten(note, MAX_NOTE, placeholder=" ...")
    return f"{note}; {missing} without a Δm not drawn" if missing else note


def _style_axes(axes: Axes, cost: str, note: str) -> None:
    axes.set_title(
        "Δm against cost, one point per trial", loc="left", fontsize=17, color=INK, pad=26
    )
    axes.text(0, 1.015, note, transform=axes.transAxes, fontsize=11, color=GRAY, va="bottom")
    axes.set_xlabel(cost, fontsize=12, color=INK, labelpad=8)
    axes.set_ylabel("Δm against the independent baseline, %", fontsize=12, color=INK, labelpad=8)
    axes.tick_params(colors=INK, labelsize=11, length=0)
    axes.grid(color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.axhline(0, color=GRAY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)


def _set_limits(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Set axis limits that leave space for labels around the outermost points."""
    for values, limit in ((x, axes.set_xlim), (np.append(y, 0.0), axes.set_ylim)):
        span = float(values.max() - values.min()) or max(1.0, abs(float(values.max())))
        limit(float(values.min()) - 0.09 * span, float(values.max()) + 0.09 * span)


def _front(axes: Axes, x: np.ndarray, y: np.ndarray, on_front: np.ndarray) -> None:
    """Draw the highest Δm for at most so many FLOPs; draw nothing without a front."""
    if not on_front.any():
        return
    order = np.argsort(x[on_front], kind="stable")
    steps_x, steps_y = x[on_front][order], y[on_front][order]
    right = axes.get_xlim()[1]
    axes.step(
        np.append(steps_x, right),
        np.append(steps_y, steps_y[-1]),
        where="post",
        color=FRONT,
        linewidth=2,
        alpha=0.75,
        label="Pareto front",
        zorder=2,
    )


def _trials(axes: Axes, frame: pd.DataFrame, x: np.ndarray, y: np.ndarray) -> None:
    baseline, front = frame["baseline"], frame["pareto"].to_numpy(bool)
    proposed = baseline.isna().to_numpy()
    for chosen, color, name in (
        (proposed & ~front, TRIAL, "trial"),
        (proposed & front, FRONT, _front_label(frame)),
    ):
        if chosen.any():
            axes.scatter(
                x[chosen], y[chosen], s=90, color=color, edgecolors="white", label=name, zorder=3
            )
    for name, (color, marker) in BASELINES.items():
        chosen = (baseline == name).fillna(value=False).to_numpy(bool)
        if not chosen.any():
            continue
        axes.scatter(
            x[chosen],
            y[chosen],
            s=150,
            color=color,
            marker=marker,
            edgecolors="white",
            label=f"{name} (baseline)",
            zorder=4,
        )


def _ring(axes: Axes, x: float, y: float) -> None:
    """Mark the best trial, which need not have the highest measured Δm."""
    axes.scatter([x], [y], s=340, facecolors="none", edgecolors=INK, label="best", zorder=5)


def _front_label(frame: pd.DataFrame) -> str:
    objectives = frame.attrs["front"]
    if set(objectives) == AXES:
        return "trial on the front"
    return f"trial on the front of {', '.join(objectives)}".replace("delta_m", "Δm")


def _names(frame: pd.DataFrame) -> list[str]:
    return [
        str(number) if pd.isna(baseline) else f"{number} {baseline}"
        for number, baseline in zip(frame["trial"], frame["baseline"], strict=True)
    ]


def _legend(axes: Axes) -> None:
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.1),
        ncols=6,
        frameon=False,
        fontsize=11,
        labelcolor=INK,
        handletextpad=0.4,
    )
