"""Drawing of a sharing plan: units from left to right, one lane per group, one color per task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from mtlsearch.plan import SharingPlan, UnitSpec
from mtlsearch.report._formatting import scale_of
from mtlsearch.report.page._svg import Point, drawing, tag

NUM_COLORS = 8
"""Number of colors of tasks in the style sheet."""

IMAGE, COLUMN, LANE = 54.0, 50.0, 46.0
"""Width of the image, of a unit's column, and height of a task's lane, in pixels."""

BOX = 30.0
"""Width of a copy."""

MIN_BOX, MAX_BOX = 9.0, 36.0
"""Height of the copies with the fewest and the most parameters."""

TOP, BARS = 26.0, 52.0
"""Height of the unit numbers above the lanes, and of the bars of FLOPs below."""

LINE, LINE_GAP = 3.0, 4.0
"""Width of a task's line, and distance of two lines in one lane."""

CHARACTER = 9.0
"""Width of a character of a task's name."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Positions of one drawing.

    Attributes:
        plan: the plan.
        lane_by_task: vertical center of each task's lane behind its last split.
        heights: height of a copy by unit.
        color_by_task: number of the color by task.
    """

    plan: SharingPlan
    lane_by_task: Mapping[str, float]
    heights: Sequence[float]
    color_by_task: Mapping[str, int]

    def x(self, unit: int) -> float:
        return IMAGE + COLUMN * (unit + 0.5)

    def y(self, group: Sequence[str]) -> float:
        return sum(self.lane_by_task[task] for task in group) / len(group)

    def offset(self, group: Sequence[str], task: str) -> float:
        """Return the distance of a task's line from the center of its group."""
        ordered = sorted(group, key=self.lane_by_task.__getitem__)
        return LINE_GAP * (ordered.index(task) - (len(ordered) - 1) / 2)

    @property
    def bottom(self) -> float:
        return TOP + LANE * len(self.plan.tasks)


def task_colors(tasks: Sequence[str]) -> dict[str, int]:
    """Return the number of the color of each task, the same on the whole page."""
    return {task: index % NUM_COLORS for index, task in enumerate(sorted(tasks))}


def draw_plan(plan: SharingPlan, units: Sequence[UnitSpec], label: str) -> Markup:
    """Draw a sharing plan as inline SVG.

    A copy has one band per task of its group. Its area grows with its parameters: the height is
    proportional to their square root. Bars below are the FLOPs of each unit, of all its runs.

    Args:
        plan: the plan.
        units: units of the backbone; empty if unknown: then all copies have equal heights, and
            there are no bars.
        label: description for screen readers.

    Returns:
        The ``svg`` element; its colors are those of the page's style sheet.
    """
    layout = _Layout(plan, _lanes(plan), _heights(plan, units), task_colors(plan.tasks))
    longest = max(len(task) for task in plan.tasks)
    width = layout.x(len(plan.rows)) + 12 + CHARACTER * longest
    height = layout.bottom + (BARS if units else 4)
    return drawing(
        width,
        height,
        label,
        *_unit_numbers(layout, units),
        *(_task_line(layout, task) for task in plan.tasks),
        *_copies(layout, units),
        *_ends(layout),
        *(_flops_bars(layout, units) if units else ()),
        class_="plan",
    )


def _lanes(plan: SharingPlan) -> dict[str, float]:
    """Return the center of each task's lane; in a tree no two lines cross."""
    rows_by_task = {
        task: tuple(row[index] for row in plan.rows) for index, task in enumerate(plan.tasks)
    }
    ordered = sorted(plan.tasks, key=lambda task: (rows_by_task[task], task))
    return {task: TOP + LANE * (index + 0.5) for index, task in enumerate(ordered)}


def _heights(plan: SharingPlan, units: Sequence[UnitSpec]) -> list[float]:
    if not units:
        return [(MIN_BOX + MAX_BOX) / 2] * len(plan.rows)
    largest = max(unit.parameters for unit in units) or 1
    return [MIN_BOX + (MAX_BOX - MIN_BOX) * (unit.parameters / largest) ** 0.5 for unit in units]


def _unit_numbers(layout: _Layout, units: Sequence[UnitSpec]) -> Iterator[Markup]:
    for unit in range(len(layout.plan.rows)):
        name = f"unit {unit}: {units[unit].name}" if units else f"unit {unit}"
        yield tag(
            "text",
            str(unit),
            tag("title", name),
            x=layout.x(unit),
            y=14.0,
            class_="tick middle",
        )
    yield tag("text", "unit", x=2.0, y=14.0, class_="tick")


def _task_line(layout: _Layout, task: str) -> Markup:
    plan = layout.plan
    middle = layout.y(plan.tasks)
    points: list[Point] = [(IMAGE - 10, middle + layout.offset(plan.tasks, task))]
    for unit in range(len(plan.rows)):
        for group in plan.groups(unit):
            if task in group:
                height = layout.y(group) + layout.offset(group, task)
                points.append((layout.x(unit), height))
    points.append((layout.x(len(plan.rows)) + 2, layout.lane_by_task[task]))
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (left, start), (right, end) in pairwise(points):
        begin, stop = left + BOX / 2, right - BOX / 2
        center = (begin + stop) / 2
        parts.append(
            f"L{begin:.1f} {start:.1f}C{center:.1f} {start:.1f} {center:.1f} {end:.1f} "
            f"{stop:.1f} {end:.1f}"
        )
    return tag(
        "path", d="".join(parts), class_=f"line s{layout.color_by_task[task]}", stroke_width=LINE
    )


def _copies(layout: _Layout, units: Sequence[UnitSpec]) -> Iterator[Markup]:
    for unit in range(len(layout.plan.rows)):
        for group in layout.plan.groups(unit):
            yield _copy(layout, unit, group, units)


def _copy(layout: _Layout, unit: int, group: Sequence[str], units: Sequence[UnitSpec]) -> Markup:
    height = layout.heights[unit]
    left, top = layout.x(unit) - BOX / 2, layout.y(group) - height / 2
    ordered = sorted(group, key=layout.lane_by_task.__getitem__)
    title = f"unit {unit}, {' + '.join(ordered)}"
    if units:
        title += f": {_count(units[unit].parameters)} parameters"
    bands = [
        tag(
            "rect",
            x=left,
            y=top + height / len(ordered) * index,
            width=BOX,
            height=height / len(ordered),
            class_=f"f{layout.color_by_task[task]}",
        )
        for index, task in enumerate(ordered)
    ]
    frame = tag("rect", x=left, y=top, width=BOX, height=height, rx=2, class_="copy")
    return tag("g", tag("title", title), *bands, frame)


def _ends(layout: _Layout) -> Iterator[Markup]:
    """Yield the image on the left and the names of the tasks on the right."""
    middle = layout.y(layout.plan.tasks)
    yield tag("rect", x=1.0, y=middle - 15, width=IMAGE - 9, height=30.0, rx=5, class_="image-box")
    yield tag("text", "image", x=1 + (IMAGE - 9) / 2, y=middle + 3.5, class_="tick middle")
    left = layout.x(len(layout.plan.rows)) - BOX / 2
    for task, height in layout.lane_by_task.items():
        color = layout.color_by_task[task]
        yield tag("circle", cx=left + 5, cy=height, r=5, class_=f"f{color}")
        yield tag("text", task, x=left + 15, y=height + 4, class_="task")


def _flops_bars(layout: _Layout, units: Sequence[UnitSpec]) -> Iterator[Markup]:
    """Yield one bar of FLOPs per unit, and behind it the bar of one copy per task."""
    runs, tasks = layout.plan.runs, len(layout.plan.tasks)
    largest = max(unit.flops for unit in units) * tasks or 1
    base, full = layout.bottom + BARS - 18, BARS - 26
    for unit, spec in enumerate(units):
        left = layout.x(unit) - BOX / 2
        limit, height = (
            full * spec.flops * tasks / largest,
            full * spec.flops * runs[unit] / largest,
        )
        title = f"unit {unit}: {_count(spec.flops * runs[unit])}FLOPs in {runs[unit]} runs"
        yield tag(
            "g",
            tag("title", title),
            tag("rect", x=left, y=base - limit, width=BOX, height=limit, class_="bar-limit"),
            tag("rect", x=left, y=base - height, width=BOX, height=height, class_="bar"),
            tag(
                "text",
                _short(spec.flops * runs[unit]),
                x=layout.x(unit),
                y=base + 13,
                class_="tick middle",
            ),
        )
    yield tag("text", "FLOPs", x=2.0, y=base + 13, class_="tick")


def _count(value: int) -> str:
    factor, prefix = scale_of([value])
    return f"{value / factor:.3g} {prefix}"


def _short(value: int) -> str:
    """Return a count of few characters: ``12M``."""
    factor, prefix = scale_of([value])
    return (
        f"{value / factor:.2g}{prefix}" if value / factor < 10 else f"{value / factor:.0f}{prefix}"
    )
