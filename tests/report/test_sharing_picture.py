"""Picture of sharing plans."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import PathPatch, Rectangle
from PIL import Image

from mtlsearch.plan import SharingPlan
from mtlsearch.report import draw_sharing, sharing_figure
from mtlsearch.report._sharing_picture import TASK_COLORS, _lanes

TASKS = ("a", "b", "c")
PLANS = {
    "independent": SharingPlan.independent(TASKS, 4),
    "hard": SharingPlan.hard(TASKS, 4),
    "tree": SharingPlan.from_splits(["a", "c", "b"], [3, 1], 4),
    "skips": SharingPlan.hard(TASKS, 4).with_skips({1: ["b"]}),
}


def test_png_contains_the_color_of_each_task(tmp_path: Path) -> None:
    path = tmp_path / "sharing.png"
    draw_sharing(PLANS, path)
    with Image.open(path) as picture:
        colors = {color for _, color in picture.convert("RGB").getcolors(2**24) or []}
    expected = {tuple(round(255 * part) for part in to_rgb(name)) for name in TASK_COLORS[:3]}
    assert expected <= colors
    assert [file.name for file in tmp_path.iterdir()] == ["sharing.png"]


@pytest.mark.parametrize("suffix", [".svg", ".pdf"])
def test_other_formats_are_written(suffix: str, tmp_path: Path) -> None:
    draw_sharing(PLANS, tmp_path / f"sharing{suffix}")
    assert (tmp_path / f"sharing{suffix}").stat().st_size > 1000


@pytest.mark.parametrize("title", PLANS)
def test_copy_has_one_band_per_task_and_a_frame(title: str) -> None:
    plan = PLANS[title]
    (axes,) = sharing_figure({title: plan}).axes
    boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    frames = [box for box in boxes if not box.get_fill()]
    assert len(frames) == sum(plan.copies)
    assert len(boxes) - len(frames) == sum(
        len(group) for unit in range(len(plan.rows)) for group in plan.groups(unit)
    )


@pytest.mark.parametrize("title", PLANS)
def test_each_task_has_one_line(title: str) -> None:
    (axes,) = sharing_figure({title: PLANS[title]}).axes
    lines = [patch for patch in axes.patches if type(patch) is PathPatch]
    assert {line.get_edgecolor()[:3] for line in lines} == set(map(to_rgb, TASK_COLORS[:3]))
    assert len(lines) == len(TASKS)


def test_tree_keeps_groups_in_adjacent_lanes() -> None:
    plan = PLANS["tree"]
    lane_by_task = _lanes(plan)
    for unit in range(len(plan.rows)):
        for group in plan.groups(unit):
            lanes = sorted(lane_by_task[task] for task in group)
            assert all(second - first == 1 for first, second in pairwise(lanes))


def test_panels_share_the_colors_of_tasks() -> None:
    figure = sharing_figure({"hard": PLANS["hard"], "tree": PLANS["tree"]})
    colors = [
        {
            text.get_text(): text.get_bbox_patch().get_facecolor()
            for text in axes.texts
            if text.get_bbox_patch()
        }
        for axes in figure.axes
    ]
    assert colors[0] == colors[1]
    assert set(colors[0]) == set(TASKS)
