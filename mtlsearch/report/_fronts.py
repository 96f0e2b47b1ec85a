"""Pareto fronts of several runs in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mtlsearch.report._front_axes import FrontAxes
from mtlsearch.report._picture_file import require_picture, save_picture

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
    save_picture(fronts_figure(frame_by_run), path)


def fronts_figure(frame_by_run: Mapping[str, pd.DataFrame]) -> Figure:
    """Return the drawing of :func:`draw_fronts`.

    Args:
        frame_by_run: leaderboards of :func:`mtlsearch.results.leaderboard`, by label of the run.

    Returns:
        A figure of 1200 x 750 pixels, which a notebook shows.

    Raises:
        RunError: no run has a trial with a Δm.
    """
    front = FrontAxes(
        [*frame_by_run.values()],
        title="Δm against cost, and the front of each run",
        reference="the independent baseline of the same run",
        next_step="resume the runs by `mtlsearch search`",
    )
    front.add_note("each line: the highest measured Δm for at most so many FLOPs")
    for index, (name, frame) in enumerate(frame_by_run.items()):
        measured = frame[frame["delta_m"].notna()]
        if measured.empty:
            continue
        color = COLORS[index % len(COLORS)]
        x, y = front.positions(
            measured.sort_values(["flops", "delta_m"], ascending=[True, False], kind="stable")
        )
        front.axes.scatter(x, y, s=60, color=color, edgecolors="white", label=name, zorder=3)
        before = np.maximum.accumulate(np.concatenate(([-np.inf], y[:-1])))
        front.draw_front(x, y, y > before, color, "")
    front.add_legend()
    return front.figure
