"""Task affinity as a picture: a row a unit, a column a measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from mtlsearch.affinity import Affinity
from mtlsearch.files import atomic_write

CELL = 0.62  # inches a task
INK = "#22272e"
TITLES = {
    "gradients": "gradients agree\n(cosine)",
    "representations": "representations alike\n(linear CKA)",
    "unit_lookahead": "loss falls by, %\n(row: step for, column: loss of)",
}


def draw_affinity(affinity: Affinity, path: Path) -> None:
    """Draw all matrices, unit by unit, as PNG.

    Cosine and CKA go from -1 (red) to 1 (blue); what a step does is coloured up to the largest
    effect on another task in any unit, as a task's own is far larger.

    Args:
        affinity: what was measured.
        path: the file, which appears whole or not at all.
    """
    side = 1.5 + CELL * len(affinity.tasks)
    figure = Figure(
        figsize=(3 * side + 0.6, len(affinity.units) * side + 0.8),
        dpi=100,
        facecolor="white",
        layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08),
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(affinity.units), len(TITLES), squeeze=False)
    strongest = _strongest(affinity)
    for unit, (name, row) in enumerate(zip(affinity.units, grid, strict=True)):
        for axes, (measure, title) in zip(row, TITLES.items(), strict=True):
            values = getattr(affinity, measure)[unit]
            if measure == "unit_lookahead":
                _matrix(axes, 100 * values, affinity.tasks, 100 * strongest, form=".2g")
            else:
                _matrix(axes, values, affinity.tasks, 1.0, form=".2f")
            if unit == 0:
                axes.set_title(title, fontsize=9, color=INK)
        row[0].set_ylabel(f"unit {unit}\n{name}", fontsize=9, color=INK)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")


def _strongest(affinity: Affinity) -> float:
    """The largest effect of a step on another task."""
    others = ~np.eye(len(affinity.tasks), dtype=bool)
    found = np.abs(affinity.unit_lookahead[:, others])
    known = found[np.isfinite(found)]
    return float(known.max()) if known.size and known.max() > 0 else 1.0


def _matrix(
    axes: Axes, values: np.ndarray, tasks: tuple[str, ...], limit: float, *, form: str
) -> None:
    axes.imshow(values, cmap="RdBu", vmin=-limit, vmax=limit)
    places = range(len(tasks))
    axes.set_xticks(places, tasks, fontsize=8, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, tasks, fontsize=8)
    axes.tick_params(length=0, colors=INK)
    for side in axes.spines.values():
        side.set_visible(False)
    for i in places:
        for j in places:
            value = values[i, j]
            pale = not np.isfinite(value) or abs(value) < 0.6 * limit
            text = "?" if not np.isfinite(value) else f"{value:{form}}"
            axes.text(
                j, i, text, ha="center", va="center", fontsize=8, color=INK if pale else "white"
            )
