"""Plot of task affinity: one row per unit, one column per measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mtlsearch.affinity import Affinity
from mtlsearch.report._picture_file import save_picture

CELL = 0.62  # inches per task
INK = "#22272e"
TITLES = {
    "gradients": "gradient similarity\n(cosine)",
    "representations": "representation similarity\n(linear CKA)",
    "unit_lookahead": "first-order affinity, %\n(row: step for, column: loss of)",
}


def draw_affinity(affinity: Affinity, path: Path) -> None:
    """Draw all affinity matrices as a PNG file.

    The colors of cosine and CKA range from -1 (red) to 1 (blue). The color range of the first-order
    affinity is the largest effect on another task in the unit: the effect on the same task is far
    larger, and so are the effects in some units. A color bar beside each matrix shows its range.

    Args:
        affinity: the measured affinity.
        path: the file; the write is atomic.
    """
    side = 1.5 + CELL * len(affinity.tasks)
    figure = Figure(
        figsize=(3 * side + 1.8, len(affinity.units) * side + 0.8),
        dpi=100,
        facecolor="white",
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08),
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(affinity.units), len(TITLES), squeeze=False)
    for unit, (name, row) in enumerate(zip(affinity.units, grid, strict=True)):
        for axes, (measure, title) in zip(row, TITLES.items(), strict=True):
            values = getattr(affinity, measure)[unit]
            if measure == "unit_lookahead":
                _matrix(
                    axes, 100 * values, affinity.tasks, 100 * _largest_effect(values), form=".2g"
                )
            else:
                _matrix(axes, values, affinity.tasks, 1.0, form=".2f")
            if unit == 0:
                axes.set_title(title, fontsize=9, color=INK)
        row[0].set_ylabel(f"unit {unit}\n{name}", fontsize=9, color=INK)
    save_picture(figure, path)


def _largest_effect(values: np.ndarray) -> float:
    """Return the largest effect of a step on another task."""
    effects = np.abs(values[~np.eye(len(values), dtype=bool)])
    finite = effects[np.isfinite(effects)]
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def _matrix(
    axes: Axes, values: np.ndarray, tasks: tuple[str, ...], limit: float, *, form: str
) -> None:
    image = axes.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85, ticks=[-limit, 0, limit], format="%.3g")
    bar.ax.tick_params(length=0, labelsize=7, colors=INK)
    bar.outline.set_visible(False)
    indices = range(len(tasks))
    axes.set_xticks(indices, tasks, fontsize=8, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(indices, tasks, fontsize=8)
    axes.tick_params(length=0, colors=INK)
    for side in axes.spines.values():
        side.set_visible(False)
    for i in indices:
        for j in indices:
            value = values[i, j]
            is_pale = not np.isfinite(value) or abs(value) < 0.6 * limit
            text = "?" if not np.isfinite(value) else f"{value:{form}}"
            axes.text(
                j, i, text, ha="center", va="center", fontsize=8, color=INK if is_pale else "white"
            )
