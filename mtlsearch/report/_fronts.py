"""Pareto fronts of several runs in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mtlsearch.errors import RunError
from mtlsearch.files import atomic_write
from mtlsearch.report._formatting import scale_of
from mtlsearch.report._front_axes import add_legend, draw_front, front_axes, set_limits
from mtlsearch.report._plot import SUFFIXES, require_picture

COLORS = ("#1f6feb", "#d1495b", "#2a9d8f", "#edae49", "#7b5ea7", "#8d6e63")


def draw_fronts(frame_by_run: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Draw the trials of several runs and the highest Δm for at most so many FLOPs of each.

    Args:
        frame_by_run: leaderboards of :func:`mtlsearch.results.leaderboard`, by label of the run.
        path: a ``.png`` (1200 x 750 pixels), ``.svg`` or ``.pdf`` file; the write is atomic.

    Raises:
        ConfigError: the suffix is not one of these.
        RunError: no run has a trial with a Δm.
    """
    require_picture(path, option="--out")
    figure = fronts_figure(frame_by_run)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=SUFFIXES[path.suffix.lower()])


def fronts_figure(frame_by_run: Mapping[str, pd.DataFrame]) -> Figure:
    """Return the drawing of :func:`draw_fronts`.

    Args:
        frame_by_run: leaderboards of :func:`mtlsearch.results.leaderboard`, by label of the run.

    Returns:
        A figure of 1200 x 750 pixels, which a notebook shows.

    Raises:
        RunError: no run has a trial with a Δm.
    """
    measured = {name: frame[frame["delta_m"].notna()] for name, frame in frame_by_run.items()}
    together = pd.concat([frame[["flops", "delta_m"]] for frame in measured.values()])
    if together.empty:
        raise RunError(
            "no trial has a Δm yet, so the plot would be empty",
            next_step="resume the runs by `mtlsearch search`",
        )
    factor, prefix = scale_of(together["flops"].tolist())
    figure, axes = front_axes(
        "Δm against cost, and the front of each run",
        "each line: the highest measured Δm for at most so many FLOPs",
        f"{prefix}FLOPs for one image",
        "the independent baseline of the same run",
    )
    set_limits(
        axes,
        together["flops"].to_numpy(np.float64) / factor,
        together["delta_m"].to_numpy(np.float64),
    )
    for index, (name, frame) in enumerate(measured.items()):
        if frame.empty:
            continue
        color = COLORS[index % len(COLORS)]
        ordered = frame.sort_values(["flops", "delta_m"], ascending=[True, False], kind="stable")
        x = ordered["flops"].to_numpy(np.float64) / factor
        y = ordered["delta_m"].to_numpy(np.float64)
        axes.scatter(x, y, s=60, color=color, edgecolors="white", label=name, zorder=3)
        before = np.maximum.accumulate(np.concatenate(([-np.inf], y[:-1])))
        draw_front(axes, x, y, y > before, color, "")
    add_legend(axes)
    return figure
