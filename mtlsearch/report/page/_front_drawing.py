"""Drawing of Δm against FLOPs with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from mtlsearch.report._formatting import scale_of
from mtlsearch.report.page._svg import Point, Scale, axes, drawing, tag

LEFT, RIGHT, TOP, BOTTOM = 40.0, 14.0, 32.0, 42.0
RADIUS = 5.5

DISTINCT = 1.25
"""Ratio of the distances from a label to another point and to its own, at least."""

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
    roles = front_roles(frame, role_by_trial)
    for index in order:
        number = int(measured["trial"].iloc[index])
        parts += _mark(points[index], number, roles[number])
        if number == frame.attrs.get("best"):
            left, top = points[index]
            parts.append(tag("circle", cx=left, cy=top, r=RADIUS + 4, class_="ring"))
    parts += _labels(points, measured, role_by_trial, width)
    return drawing(width, height, "Δm of all trials against FLOPs", *parts, class_="chart")


def front_roles(frame: pd.DataFrame, role_by_trial: Mapping[int, str]) -> dict[int, str]:
    """Return the role of each trial with a Δm, after which its mark is drawn.

    Args:
        frame: a leaderboard.
        role_by_trial: ``best``, ``independent`` or ``hard`` by trial number.

    Returns:
        Role by trial number: that of ``role_by_trial``, otherwise ``front`` or ``other``.
    """
    measured = frame[frame["delta_m"].notna()]
    return {
        int(number): role_by_trial.get(int(number), "front" if is_member else "other")
        for number, is_member in zip(measured["trial"], measured["pareto"], strict=True)
    }


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
    numbers = [int(number) for number in measured["trial"]]
    best = measured.attrs.get("best")
    marks = [
        _box(point, RADIUS + 5 if number == best else RADIUS + 1)
        for point, number in zip(points, numbers, strict=True)
    ]
    placed: list[Box] = []
    order = sorted(
        range(len(points)),
        key=lambda index: (numbers[index] != best, numbers[index] not in role_by_trial),
    )
    for index in order:
        role = role_by_trial.get(numbers[index])
        if role is None and not measured["pareto"].iloc[index]:
            continue
        text = str(numbers[index]) if role in (None, "best") else f"{numbers[index]} {role}"
        text = f"{text} best" if numbers[index] == best else text
        places = [place for place in _places(points[index], text) if _is_inside(place.box, width)]
        others = [*marks[:index], *marks[index + 1 :], *placed]
        free = (
            place
            for place in places
            if not any(_overlap(place.box, box) for box in others)
            and (place.is_far or _is_nearest(place, index, points))
        )
        place = next(free, None)
        if place is None or (place.is_far and role is None):
            continue
        placed.append(place.box)
        if place.is_far:
            left, top = points[index]
            end = place.box[1] if place.is_end else place.box[0]
            yield tag("line", x1=left, y1=top, x2=end, y2=place.y - 4, class_="whisker leader")
        class_ = "label end" if place.is_end else "label"
        yield tag("text", text, x=place.x, y=place.y, class_=class_)


Box = tuple[float, float, float, float]
"""Left, right, top and bottom."""


class _Candidate(NamedTuple):
    """A place of a label: its anchor and baseline, and whether a line joins it to its point."""

    x: float
    y: float
    is_end: bool
    is_far: bool
    box: Box


def _places(point: Point, text: str) -> Iterator[_Candidate]:
    """Yield places beside a point, then places further away, the preferred one first."""
    length = 6.5 * len(text)
    near = [(11, shift) for shift in (-8, 4, 16)]
    far = [(24, shift) for shift in (-26, 34, -44, 52, -62, 70)]
    for gap, shift in (*near, *far):
        for is_end in (False, True):
            x = point[0] - gap if is_end else point[0] + gap
            y = point[1] + shift
            left = x - length if is_end else x
            yield _Candidate(x, y, is_end, gap > 11, (left, left + length, y - 9, y + 2))


def _box(point: Point, radius: float) -> Box:
    return (point[0] - radius, point[0] + radius, point[1] - radius, point[1] + radius)


def _is_nearest(place: _Candidate, index: int, points: list[Point]) -> bool:
    """Return whether a label starts clearly nearer to its point than to all others."""
    start = (place.x, place.y - 3.5)
    limit = DISTINCT * math.dist(start, points[index])
    others = [*points[:index], *points[index + 1 :]]
    return all(math.dist(start, other) > limit for other in others)


def _is_inside(box: Box, width: float) -> bool:
    return box[0] >= LEFT and box[1] <= width and box[2] >= 0


def _overlap(box: Box, other: Box) -> bool:
    return box[0] < other[1] and other[0] < box[1] and box[2] < other[3] and other[2] < box[3]
