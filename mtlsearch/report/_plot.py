"""Plot of Δm against FLOPs."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mtlsearch.report._display_columns import best_row
from mtlsearch.report._front_axes import INK, FrontAxes
from mtlsearch.report._label_placement import label_points
from mtlsearch.report._picture_file import require_picture, save_picture

TRIAL, FRONT, INDEPENDENT, HARD = "#9db4d0", "#1f6feb", "#d1495b", "#edae49"
BASELINES = {"independent": (INDEPENDENT, "s"), "hard": (HARD, "D")}
AXES = {"delta_m", "flops"}
"""Names of the objectives that the axes show."""

MAX_NOTE = 130  # characters, so that the note fits the width


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
    save_picture(front_figure(frame), path)


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
    return _figure(measured, missing=len(frame) - len(measured))


def _figure(frame: pd.DataFrame, *, missing: int) -> Figure:
    front = FrontAxes(
        [frame],
        title="Δm against cost, one point per trial",
        reference="the independent baseline",
        next_step="resume the run by `mtlsearch search`; it trains both baselines first",
    )
    front.add_note(_note(frame, missing))
    axes, (x, y) = front.axes, front.positions(frame)
    if set(frame.attrs["front"]) == AXES:
        front.draw_front(x, y, frame["pareto"].to_numpy(bool), FRONT, "Pareto front")
    _trials(axes, frame, x, y)
    first = [*np.flatnonzero(frame["baseline"].notna() | frame["pareto"])]
    if (best := best_row(frame)) is not None:
        _ring(axes, float(x[best]), float(y[best]))
        first.append(best)
    front.add_legend()
    front.figure.draw_without_rendering()  # label positions depend on the layout of the axes
    label_points(axes, x, y, _names(frame), first=list(dict.fromkeys(map(int, first))))
    return front.figure


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
