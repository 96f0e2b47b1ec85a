"""Axes of Δm against FLOPs: limits around trials, the Pareto front and a legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from mtlsearch.errors import RunError
from mtlsearch.report._formatting import scale_of
from mtlsearch.report._notebook_figure import NotebookFigure

SIZE = (12.0, 7.5)  # inches of 100 pixels
INK, GRAY, GRID = "#22272e", "#8b949e", "#e6e9ed"

COLUMNS = ["flops", "delta_m"]
"""Columns of a leaderboard that are drawn."""

Positions = NDArray[np.float64]


class FrontAxes:
    """Axes of Δm against FLOPs in a figure of 1200 x 750 pixels, with a line at 0.

    Args:
        frames: leaderboards of :func:`mtlsearch.results.leaderboard`; their trials with a Δm fit
            into the axes, with space for labels around the outermost ones.
        title: title of the axes.
        reference: what Δm refers to, for the label of the vertical axis.
        next_step: what to do if no trial has a Δm.

    Attributes:
        figure: the figure, which a notebook shows.
        axes: its axes.

    Raises:
        RunError: no trial has a Δm.
    """

    def __init__(
        self, frames: Sequence[pd.DataFrame], *, title: str, reference: str, next_step: str
    ) -> None:
        trials = pd.concat([frame.loc[frame["delta_m"].notna(), COLUMNS] for frame in frames])
        if trials.empty:
            raise RunError("no trial has a Δm yet, so the plot would be empty", next_step=next_step)
        self._factor, prefix = scale_of(trials["flops"].tolist())
        self.figure = NotebookFigure(
            figsize=SIZE,
            dpi=100,
            facecolor="white",
            layout=ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.18),
        )
        FigureCanvasAgg(self.figure)
        axes = self.axes = self.figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=17, color=INK, pad=26)
        axes.set_xlabel(f"{prefix}FLOPs for one image", fontsize=12, color=INK, labelpad=8)
        axes.set_ylabel(f"Δm against {reference}, %", fontsize=12, color=INK, labelpad=8)
        axes.tick_params(colors=INK, labelsize=11, length=0)
        axes.grid(color=GRID, linewidth=1)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
        axes.axhline(0, color=GRAY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        x, y = self.positions(trials)
        for values, limit in ((x, axes.set_xlim), (np.append(y, 0.0), axes.set_ylim)):
            span = float(values.max() - values.min()) or max(1.0, abs(float(values.max())))
            limit(float(values.min()) - 0.09 * span, float(values.max()) + 0.09 * span)

    def positions(self, frame: pd.DataFrame) -> tuple[Positions, Positions]:
        """Return where the trials of a leaderboard are in the axes.

        Args:
            frame: rows with a Δm.

        Returns:
            FLOPs in the unit of the axis, and Δm.
        """
        x, y = (frame[column].to_numpy(np.float64) for column in COLUMNS)
        return x / self._factor, y

    def add_note(self, note: str) -> None:
        """Write a line below the title.

        Args:
            note: the line.
        """
        self.axes.text(
            *(0, 1.015, note), transform=self.axes.transAxes, fontsize=11, color=GRAY, va="bottom"
        )

    def draw_front(
        self, x: Positions, y: Positions, on_front: np.ndarray, color: str, label: str
    ) -> None:
        """Draw the highest Δm for at most so many FLOPs; draw nothing without a front.

        Args:
            x: positions of all trials.
            y: Δm of all trials.
            on_front: whether each trial is on the front.
            color: color of the line.
            label: its text in the legend.
        """
        if not on_front.any():
            return
        order = np.argsort(x[on_front], kind="stable")
        steps_x, steps_y = x[on_front][order], y[on_front][order]
        right = self.axes.get_xlim()[1]
        self.axes.step(
            np.append(steps_x, right),
            np.append(steps_y, steps_y[-1]),
            where="post",
            color=color,
            linewidth=2,
            alpha=0.75,
            label=label,
            zorder=2,
        )

    def add_legend(self) -> None:
        """Add a legend below the axes."""
        self.axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.1),
            ncols=6,
            frameon=False,
            fontsize=11,
            labelcolor=INK,
            handletextpad=0.4,
        )
