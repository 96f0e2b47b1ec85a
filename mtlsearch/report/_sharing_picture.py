"""Picture of sharing plans: units from left to right, one lane per group, one color per task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path as Curve

from mtlsearch.plan import SharingPlan
from mtlsearch.report._notebook_figure import NotebookFigure
from mtlsearch.report._picture_file import save_picture

INK, GRAY, IMAGE = "#22272e", "#6e7781", "#d0d7de"
TASK_COLORS = ("#1f6feb", "#edae49", "#d1495b", "#2a9d8f", "#8e6bbf", "#7f8c3a")
WIDTH_PER_UNIT, HEIGHT_PER_TASK = 0.6, 0.6  # inches
BOX_WIDTH, BOX_HEIGHT = 0.56, 0.42  # of a unit column, of a task lane
HEIGHT_PER_SHARING_TASK = 0.15  # lanes that each further task adds to a box
LINE_GAP = 0.11  # lanes between the lines of two tasks that share

Point = tuple[float, float]


def draw_sharing(plans: Mapping[str, SharingPlan], path: Path) -> None:
    """Draw sharing plans side by side.

    Args:
        plans: plan by title; tasks have the same color in all of them.
        path: a ``.png``, ``.svg`` or ``.pdf`` file, written atomically.
    """
    save_picture(sharing_figure(plans), path)


def sharing_figure(plans: Mapping[str, SharingPlan]) -> Figure:
    """Return the drawing of sharing plans side by side.

    Args:
        plans: plan by title; tasks have the same color in all of them.

    Returns:
        A figure of 120 dots per inch, which a notebook shows.
    """
    widths = [len(plan.rows) + 3.1 for plan in plans.values()]
    num_tasks = max(len(plan.tasks) for plan in plans.values())
    size = (WIDTH_PER_UNIT * sum(widths), HEIGHT_PER_TASK * (num_tasks + 2.2))
    figure = NotebookFigure(figsize=size, dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        1, len(plans), width_ratios=widths, left=0, right=1, top=1, bottom=0, wspace=0
    )
    tasks = sorted({task for plan in plans.values() for task in plan.tasks})
    color_by_task = {
        task: TASK_COLORS[index % len(TASK_COLORS)] for index, task in enumerate(tasks)
    }
    for index, (title, plan) in enumerate(plans.items()):
        axes = figure.add_subplot(grid[index])
        axes.set_xlim(-1.6, len(plan.rows) + 1.5)
        axes.set_ylim(num_tasks + 0.55, -1.65)
        axes.axis("off")
        _draw_plan(axes, title, plan, color_by_task)
    return figure


def _draw_plan(axes: Axes, title: str, plan: SharingPlan, color_by_task: Mapping[str, str]) -> None:
    lane_by_task = _lanes(plan)
    num_units, middle = len(plan.rows), (len(plan.tasks) - 1) / 2
    axes.text(-1.2, -1.3, title, color=INK, fontsize=13, fontweight="bold", va="center")
    for unit in range(num_units):
        axes.text(unit, -0.7, str(unit), color=GRAY, fontsize=9, ha="center", va="center")
    axes.text(-1.2, -0.7, "unit", color=GRAY, fontsize=9, va="center")
    for task, lane in lane_by_task.items():
        points = [(-0.92, middle + _offset(plan.tasks, task, lane_by_task))]
        points += [
            (unit, _lane(group, lane_by_task) + _offset(group, task, lane_by_task))
            for unit, group in _visited_groups(plan, task)
        ]
        points.append((num_units, lane))
        _draw_line(axes, points, color_by_task[task])
    for unit in range(num_units):
        for group in plan.groups(unit):
            _draw_copy(axes, (unit, _lane(group, lane_by_task)), group, lane_by_task, color_by_task)
    _draw_ends(axes, middle, num_units, lane_by_task, color_by_task)
    notes = [f"{sum(plan.copies)} copies of {num_units} units", *_description(title, plan)]
    for index, note in enumerate(notes):
        axes.text(-1.2, len(plan.tasks) - 0.2 + 0.4 * index, note, color=GRAY, fontsize=9)


def _description(title: str, plan: SharingPlan) -> list[str]:
    return [] if str(plan) == title else [str(plan)]


def _lanes(plan: SharingPlan) -> dict[str, float]:
    """Return the vertical position of each task; in a tree no two lines cross."""
    rows_by_task = {
        task: tuple(row[index] for row in plan.rows) for index, task in enumerate(plan.tasks)
    }
    ordered = sorted(plan.tasks, key=lambda task: (rows_by_task[task], task))
    return {task: float(index) for index, task in enumerate(ordered)}


def _lane(group: tuple[str, ...], lane_by_task: Mapping[str, float]) -> float:
    return sum(lane_by_task[task] for task in group) / len(group)


def _offset(group: tuple[str, ...], task: str, lane_by_task: Mapping[str, float]) -> float:
    """Return the distance of a task's line from the center of its group's lane."""
    ordered = sorted(group, key=lambda member: lane_by_task[member])
    return LINE_GAP * (ordered.index(task) - (len(ordered) - 1) / 2)


def _visited_groups(plan: SharingPlan, task: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    for unit in range(len(plan.rows)):
        for group in plan.groups(unit):
            if task in group:
                yield unit, group


def _draw_line(axes: Axes, points: list[Point], color: str) -> None:
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (left, start), (right, end) in pairwise(points):
        begin, stop = left + BOX_WIDTH / 2, right - BOX_WIDTH / 2
        center = (begin + stop) / 2
        vertices += [(begin, start), (center, start), (center, end), (stop, end)]
        codes += [Curve.LINETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]
    curve = Curve(vertices, codes)
    axes.add_patch(PathPatch(curve, facecolor="none", edgecolor=color, linewidth=2.4))


def _draw_copy(
    axes: Axes,
    center: Point,
    group: tuple[str, ...],
    lane_by_task: Mapping[str, float],
    color_by_task: Mapping[str, str],
) -> None:
    """Draw one copy of a unit with one band per task of its group."""
    full_height = BOX_HEIGHT + HEIGHT_PER_SHARING_TASK * (len(group) - 1)
    left, top = center[0] - BOX_WIDTH / 2, center[1] - full_height / 2
    ordered = sorted(group, key=lambda task: lane_by_task[task])
    height = full_height / len(ordered)
    for index, task in enumerate(ordered):
        corner = (left, top + index * height)
        axes.add_patch(
            Rectangle(corner, BOX_WIDTH, height, facecolor=color_by_task[task], zorder=3)
        )
    axes.add_patch(
        Rectangle(
            (left, top), BOX_WIDTH, full_height, fill=False, edgecolor=INK, linewidth=1.2, zorder=4
        )
    )


def _draw_ends(
    axes: Axes,
    middle: float,
    num_units: int,
    lane_by_task: Mapping[str, float],
    color_by_task: Mapping[str, str],
) -> None:
    """Draw the image on the left and one head per task on the right."""
    shape = "round,pad=0.02,rounding_size=0.08"
    axes.add_patch(
        FancyBboxPatch((-1.2, middle - 0.3), 0.56, 0.6, shape, fc=IMAGE, ec=INK, zorder=3)
    )
    axes.text(-0.92, middle, "image", color=INK, fontsize=8, ha="center", va="center", zorder=4)
    for task, lane in lane_by_task.items():
        box = {"boxstyle": "round,pad=0.3", "facecolor": color_by_task[task], "edgecolor": INK}
        left = num_units - BOX_WIDTH / 2
        axes.text(left, lane, task, color="white", fontsize=9, va="center", bbox=box, zorder=4)
