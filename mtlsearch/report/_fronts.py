"""Pareto fronts of several runs in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mtlsearch.errors import RunError
from mtlsearch.files import atomic_write
from mtlsearch.report._formatting import scale_of
from mtlsearch.report._plot import GRAY, GRID, INK, SIZE, SUFFIXES, require_picture

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
    measured = {
        name: frame[frame["delta_m"].notna()].sort_values("flops", kind="stable")
        for name, frame in frame_by_run.items()
    }
    flops = [float(value) for frame in measured.values() for value in frame["flops"]]
    if not flops:
        raise RunError(
            "no trial has a Δm yet, so the plot would be empty",
            next_step="resume the runs by `mtlsearch search`",
        )
    figure = Figure(figsize=SIZE, dpi=100, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    factor, prefix = scale_of(flops)
    for index, (name, frame) in enumerate(measured.items()):
        if frame.empty:
            continue
        color = COLORS[index % len(COLORS)]
        x = frame["flops"].to_numpy(np.float64) / factor
        y = frame["delta_m"].to_numpy(np.float64)
        axes.scatter(x, y, s=60, color=color, edgecolors="white", label=name, zorder=3)
        right = max(flops) / factor
        highest = np.maximum.accumulate(y)
        axes.step(np.append(x, right), np.append(highest, highest[-1]), where="post", color=color)
    axes.axhline(0, color=GRAY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    axes.set_title("Δm against cost, and the front of each run", loc="left", color=INK)
    axes.set_xlabel(f"{prefix}FLOPs for one image", color=INK)
    axes.set_ylabel("Δm against the independent baseline of the same run, %", color=INK)
    axes.grid(color=GRID)
    axes.legend(frameon=False, labelcolor=INK)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=SUFFIXES[path.suffix.lower()])
