"""Drawing of Δm against FLOPs with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pandas as pd
from markupsafe import Markup

from mtlsearch.report._formatting import scale_of
from mtlsearch.report.page._svg import Point, Scale, axes, drawing, tag

LEFT, RIGHT, TOP, BOTTOM = 40.0, 14.0, 32.0, 42.0
RADIUS = 5.5

AXES = {"delta_m", "flops"}
"""Objectives that the axes show; a line joins the front of these only."""


def draw_front(
    frame: pd.DataFrame, role_by_trial: Mapping[int, str], *, width: float, height: float
) -> Markup:
    """Draw all trials with a Δm as inline SVG.

    Args:
        frame: a leaderboard with standard errors.
        role_by_trial: ``best``, ``independent`` or ``hard`` by trial number.
        width: width in pixels.
        height: height in pixels.

    Returns:
        The ``svg`` element; each point has the trial number in ``data-trial``.
    """
    measured = frame[frame["delta_m"].notna()]
    factor, prefix = scale_of(measured["flops"].tolist())
    flops = [value / factor for value in measured["flops"]]
    deltas = measured["delta_m"].tolist()
    errors = (
        measured["delta_m_error"].fillna(0.0).tolist()
        if "delta_m_error" in measured
        else [0.0] * len(deltas)
    )
    x = Scale.of([*flops, 0.0], LEFT, width - RIGHT)
    x = Scale(0.0, x.high, x.start, x.end)
    low = [delta - error for delta, error in zip(deltas, errors, strict=True)]
    high = [delta + error for delta, error in zip(deltas, errors, strict=True)]
    y = Scale.of([*low, *high, 0.0], height - BOTTOM, TOP)
    points = [(x(flop), y(delta)) for flop, delta in zip(flops, deltas, strict=True)]
    parts = axes(
        x, y, x_title=f"{prefix}FLOPs for one image", y_title="Δm, %", zero=True, y_count=6
    )
    if set(frame.attrs["front"]) == AXES:
        parts += _front_line(points, measured["pareto"].tolist(), x.end)
    for index, (left, _) in enumerate(points):
        if errors[index] > 0:
            ends = {"y1": y(low[index]), "y2": y(high[index])}
            parts.append(tag("line", x1=left, x2=left, **ends, class_="whisker"))
    order = sorted(
        range(len(points)),
        key=lambda index: int(measured["trial"].iloc[index]) in role_by_trial,
    )
    for index in order:
        number = int(measured["trial"].iloc[index])
        role = role_by_trial.get(number, "front" if measured["pareto"].iloc[index] else "other")
        parts += _mark(points[index], number, role)
        if number == frame.attrs.get("best"):
            left, top = points[index]
            parts.append(tag("circle", cx=left, cy=top, r=RADIUS + 4, class_="ring"))
    parts += _labels(points, measured, role_by_trial, width)
    return drawing(width, height, "Δm of all trials against FLOPs", *parts, class_="chart")


def _front_line(points: list[Point], is_member: list[bool], right: float) -> Iterator[Markup]:
    """Yield the steps of the highest Δm for at most so many FLOPs."""
    front = sorted(point for point, member in zip(points, is_member, strict=True) if member)
    if not front:
        return
    data = f"M{front[0][0]:.1f} {front[0][1]:.1f}"
    for left, top in front[1:]:
        data += f"H{left:.1f}V{top:.1f}"
    yield tag("path", d=f"{data}H{right:.1f}", class_="front-line")


def _mark(point: Point, number: int, role: str) -> list[Markup]:
    left, top = point
    common = {"class_": f"mark {role}", "data_trial": number, "tabindex": 0}
    if role == "independent":
        side = 2 * RADIUS
        return [tag("rect", x=left - RADIUS, y=top - RADIUS, width=side, height=side, **common)]
    if role == "hard":
        size = RADIUS + 1.5
        corners = f"M{left:.1f} {top - size:.1f}l{size} {size}l-{size} {size}l-{size}-{size}z"
        return [tag("path", d=corners, **common)]
    return [tag("circle", cx=left, cy=top, r=RADIUS, **common)]


def _labels(
    points: list[Point],
    measured: pd.DataFrame,
    role_by_trial: Mapping[int, str],
    width: float,
) -> Iterator[Markup]:
    """Yield the names of baselines and the best trial, and of front trials with space beside."""
    placed: list[Point] = []
    numbers = [int(number) for number in measured["trial"]]
    order = sorted(range(len(points)), key=lambda index: numbers[index] not in role_by_trial)
    for index in order:
        role = role_by_trial.get(numbers[index])
        if role is None and not measured["pareto"].iloc[index]:
            continue
        text = str(numbers[index]) if role in (None, "best") else f"{numbers[index]} {role}"
        text = f"{text} best" if numbers[index] == measured.attrs.get("best") else text
        left, top = points[index][0] + 11, points[index][1] - 8
        end = left + 6.5 * len(text) > width
        left = points[index][0] - 11 if end else left
        if any(abs(left - x) < 60 and abs(top - y) < 14 for x, y in placed):
            top += 22
        if any(math.hypot((left - x) / 4, top - y) < 12 for x, y in placed):
            continue
        placed.append((left, top))
        yield tag("text", text, x=left, y=top, class_=f"label {'end' if end else ''}".strip())
