"""Drawing of learning curves: one panel per loss and metric, one line per trial."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from mtlsearch.report._learning_curves import CurvePanel
from mtlsearch.report.page._svg import Scale, axes, drawing, polyline, tag

WIDTH, HEIGHT = 360.0, 218.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 12.0, 12.0, 38.0

MAX_POINTS = 60
"""Number of epochs of one line; longer curves are thinned."""


def draw_curves(panel: CurvePanel) -> Markup:
    """Draw the curves of one loss or metric as inline SVG.

    Args:
        panel: the curves.

    Returns:
        The ``svg`` element; each line has the trial number in ``data-trial``.
    """
    last = max(epoch for curve in panel.curves for epoch in curve.epochs)
    values = [value for curve in panel.curves for value in curve.values if math.isfinite(value)]
    x = Scale(min(1.0, last - 1.0), float(last), LEFT, WIDTH - RIGHT)
    y = Scale.of(_without_outliers(values) if panel.is_loss else values, HEIGHT - BOTTOM, TOP)
    parts = axes(x, y, x_title="epoch", x_integer=True, y_count=4)
    clip = f"clip-{panel.name.replace('.', '-')}"
    frame = tag("rect", x=LEFT, y=TOP - 2, width=x.end - x.start, height=HEIGHT - BOTTOM - TOP + 4)
    lines = []
    for curve in sorted(panel.curves, key=lambda curve: curve.role != "other"):
        points = list(zip(curve.epochs, curve.values, strict=True))
        step = math.ceil(len(points) / MAX_POINTS)
        thinned = [*points[::step], points[-1]] if (len(points) - 1) % step else points[::step]
        pixels = [(x(epoch), y(value)) for epoch, value in thinned]
        if len(pixels) == 1:
            pixels = [(pixels[0][0] - 3, pixels[0][1]), (pixels[0][0] + 3, pixels[0][1])]
        lines.append(
            tag(
                "path",
                d=polyline(pixels),
                class_=f"curve {curve.role}",
                data_trial=curve.trial,
            )
        )
    return drawing(
        WIDTH,
        HEIGHT,
        f"{panel.name} by epoch",
        tag("clipPath", frame, id=clip),
        *parts,
        tag("g", *lines, clip_path=f"url(#{clip})"),
        class_="chart",
    )


def _without_outliers(values: Sequence[float]) -> Sequence[float]:
    """Return the losses without the largest two percent, which would flatten all others."""
    ordered = sorted(values)
    return ordered[: max(1, math.ceil(0.98 * len(ordered)))]
