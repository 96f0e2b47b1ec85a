"""Labels beside points, none on top of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

PLACES = (
    (0, 11, "center", "bottom"),
    (10, 0, "left", "center"),
    (-10, 0, "right", "center"),
    (0, -11, "center", "top"),
    (8, 8, "left", "bottom"),
    (-8, 8, "right", "bottom"),
    (8, -8, "left", "top"),
    (-8, -8, "right", "top"),
)
"""Offsets in points with their alignments, the best place first."""

HALO = [withStroke(linewidth=3, foreground="white")]
"""So that a label is read on a line."""

REACH = 7.0
"""Pixels around a point's centre that its marker takes."""


def label_points(
    axes: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str], *, first: Sequence[int]
) -> None:
    """Write each point's name beside it; one for which there is no room is left out.

    Args:
        axes: drawn once, so that data and pixels agree.
        x: the points, in data coordinates.
        y: the points, in data coordinates.
        names: what to write.
        first: points that choose their place before the others, and are always named.
    """
    centres = axes.transData.transform(np.column_stack([x, y]))
    taken = [Bbox.from_extents(*(at - REACH), *(at + REACH)) for at in centres]
    order = [*first, *(at for at in range(len(names)) if at not in first)]
    for at in order:
        others = taken[:at] + taken[at + 1 :]
        box = _write(axes, float(x[at]), float(y[at]), names[at], others, force=at in first)
        if box is not None:
            taken.append(box)


def _write(
    axes: Axes, x: float, y: float, name: str, taken: Sequence[Bbox], *, force: bool
) -> Bbox | None:
    """Write a name in the first free place; its box, or None where there is none."""
    frame = axes.get_window_extent()
    for right, up, across, along in PLACES:
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
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
        if inside and not any(box.overlaps(other) for other in taken):
            return box
        text.remove()
    if not force:
        return None
    text = axes.annotate(name, (x, y), xytext=(0, 11), textcoords="offset points", ha="center")
    return text.get_window_extent()
