"""Drawings of what mattered: the effect of sharing, and importances of searched params."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from mtlsearch.report._plan_effects import EffectPoint, PairEffect
from mtlsearch.report.page._svg import Scale, axes, drawing, tag

WIDTH, HEIGHT = 300.0, 200.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 10.0, 12.0, 38.0
RADIUS = 4.0
SPREAD = 0.28
"""Half the width, in units, over which points of one depth are spread."""


def effect_scales(effects: Sequence[PairEffect]) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest change of each task, for panels with equal axes.

    Args:
        effects: the panels.

    Returns:
        Changes in percent with their errors, with 0 inside, by task.
    """
    ends_by_task: dict[str, list[float]] = {}
    for effect in effects:
        ends_by_task.setdefault(effect.task, [0.0]).extend(
            point.change + sign * (point.error or 0.0)
            for point in effect.points
            for sign in (-1, 1)
        )
    return {task: (min(ends), max(ends)) for task, ends in ends_by_task.items()}


def draw_effect(
    effect: PairEffect, limits: tuple[float, float], role_by_trial: Mapping[int, str]
) -> Markup:
    """Draw the change of a task against the number of units that it shares with another task.

    Args:
        effect: the points.
        limits: ends of the vertical axis in percent.
        role_by_trial: ``best``, ``independent`` or ``hard`` by trial number.

    Returns:
        The ``svg`` element: points with standard errors, and a line through the means.
    """
    x = Scale(-0.5, effect.num_units + 0.5, LEFT, WIDTH - RIGHT)
    y = Scale.of(limits, HEIGHT - BOTTOM, TOP)
    parts = axes(
        x,
        y,
        x_title=f"units shared with {effect.other}",
        x_integer=True,
        x_count=min(effect.num_units, 8) + 1,
        y_count=4,
        zero=True,
    )
    means = [(x(depth), y(mean)) for depth, mean in effect.means]
    line = "".join(
        f"{'L' if index else 'M'}{left:.1f} {top:.1f}" for index, (left, top) in enumerate(means)
    )
    parts.append(tag("path", d=line, class_="mean-line"))
    by_depth: dict[int, list[EffectPoint]] = {}
    for point in effect.points:
        by_depth.setdefault(point.num_shared, []).append(point)
    for depth, points in by_depth.items():
        for index, point in enumerate(sorted(points, key=lambda point: point.trial)):
            fraction = (index + 0.5) / len(points) - 0.5 if len(points) > 1 else 0.0
            left = x(depth + 2 * SPREAD * fraction)
            if point.error:
                top, bottom = y(point.change + point.error), y(point.change - point.error)
                parts.append(tag("line", x1=left, x2=left, y1=top, y2=bottom, class_="whisker"))
            role = role_by_trial.get(point.trial, "other")
            parts.append(
                tag(
                    "circle",
                    cx=left,
                    cy=y(point.change),
                    r=RADIUS,
                    class_=f"mark {role}",
                    data_trial=point.trial,
                )
            )
    label = f"Change of {effect.task} against units shared with {effect.other}"
    return drawing(WIDTH, HEIGHT, label, *parts, class_="chart")
