"""Placement of labels beside points, without overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

POSITIONS = (
    (0, 11, "center", "bottom"),
    (10, 0, "left", "center"),
    (-10, 0, "right", "center"),
    (0, -11, "center", "top"),
    (8, 8, "left", "bottom"),
    (-8, 8, "right", "bottom"),
    (8, -8, "left", "top"),
    (-8, -8, "right", "top"),
)
"""Offsets in points with their alignments, the preferred position first."""

HALO = [withStroke(linewidth=3, foreground="white")]
"""White outline, so that a label is legible on a line."""

MARKER_RADIUS = 7.0
"""Pixels around a point that its marker covers."""


def label_points(
    axes: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str], *, first: Sequence[int]
) -> None:
    """Write the name of each point beside it; omit names that would overlap.

    Args:
        axes: the axes, drawn once, so that data and pixel coordinates agree.
        x: x of the points in data coordinates.
        y: y of the points in data coordinates.
        names: the names.
        first: indices of points that are placed before the others and always named.
    """
    centers = axes.transData.transform(np.column_stack([x, y]))
    taken = [
        Bbox.from_extents(*(center - MARKER_RADIUS), *(center + MARKER_RADIUS))
        for center in centers
    ]
    order = [*first, *(index for index in range(len(names)) if index not in first)]
    for index in order:
        others = taken[:index] + taken[index + 1 :]
        position = float(x[index]), float(y[index])
        box = _write(axes, *position, names[index], others, force=index in first)
        if box is not None:
            taken.append(box)


def _write(
    axes: Axes, x: float, y: float, name: str, taken: Sequence[Bbox], *, force: bool
) -> Bbox | None:
    """Write a name at the first free position; return its box, or None if none is free."""
    frame = axes.get_window_extent()
    for right, up, across, along in POSITIONS:
        text = axes.annotate(
            name,
            (x, y),
            xytext=(right, up),
            textcoords="offset points",
            ha=across,
            va=along,
            fontsize=11 if force else 10,
            color="#22272e" if force else "#57606a",
            fontweight="bold" if force else "normal",
            path_effects=HALO,
            zorder=5,
        )
        box = text.get_window_extent()
        is_inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
        if is_inside and not any(box.overlaps(other) for other in taken):
            return box
        text.remove()
    if not force:
        return None
    text = axes.annotate(name, (x, y), xytext=(0, 11), textcoords="offset points", ha="center")
    return text.get_window_extent()
