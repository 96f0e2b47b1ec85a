"""Drawings of a page: plans, scales, matrices, curves and effects."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from mtlsearch.plan import SharingPlan
from mtlsearch.report._curve_picture import curve_figure
from mtlsearch.report._learning_curves import curve_panels
from mtlsearch.report._plan_effects import num_shared, pair_effects, task_changes
from mtlsearch.report.page import draw_plan
from mtlsearch.report.page._effect_drawing import effect_scales
from mtlsearch.report.page._front_drawing import draw_front
from mtlsearch.report.page._matrix_drawing import draw_confusion
from mtlsearch.report.page._svg import Scale, polyline, tag, tick_label
from tests.report.page.conftest import history, units
from tests.results.trials import TASKS, UNITS, baselines, results
from tests.results.trials import run as run_of_trials

PLANS = {
    "independent": SharingPlan.independent(TASKS, UNITS),
    "hard": SharingPlan.hard(TASKS, UNITS),
    "tree": SharingPlan.from_splits(TASKS, [3, 1], UNITS),
    "skips": SharingPlan.hard(TASKS, UNITS).with_skips({1: ["boxes"]}),
}


@pytest.mark.parametrize("name", PLANS)
def test_plan_has_a_box_per_copy_and_a_line_per_task(name: str) -> None:
    text = str(draw_plan(PLANS[name], units(), name))
    assert text.count('class="copy"') == sum(PLANS[name].copies)
    assert len(re.findall(r'class="line s\d"', text)) == len(TASKS)
    assert text.count('class="bar"') == UNITS


def test_copies_with_more_parameters_are_taller() -> None:
    text = str(draw_plan(PLANS["hard"], units(), "hard"))
    heights = [float(value) for value in re.findall(r'height="([\d.]+)" rx="2"', text)]
    assert heights == sorted(heights)
    assert heights[-1] > 2 * heights[0]


def test_plan_without_units_has_no_bars() -> None:
    text = str(draw_plan(PLANS["tree"], [], "tree"))
    assert 'class="copy"' in text
    assert 'class="bar"' not in text


def test_texts_and_attributes_are_escaped() -> None:
    element = tag("text", '<b>"&', Markup("<i></i>"), aria_label='"><script>', class_="a")
    assert str(element) == (
        '<text aria-label="&#34;&gt;&lt;script&gt;" class="a">&lt;b&gt;&#34;&amp;<i></i></text>'
    )


def test_scale_of_equal_values_has_a_range() -> None:
    scale = Scale.of([2.0, 2.0, math.nan], 0, 100)
    assert scale.low < 2.0 < scale.high
    assert scale(2.0) == pytest.approx(50)


def test_tick_labels_have_the_decimals_of_their_step() -> None:
    assert [tick_label(value, [-0.5, 0.0, 0.5]) for value in (-0.5, 0.0)] == [
        "\N{MINUS SIGN}0.5",
        "0",
    ]
    assert tick_label(0.25, [0.0, 0.25, 0.5]) == "0.25"


def test_polyline_is_interrupted_by_undefined_values() -> None:
    assert polyline([(0, 1), (1.5, 2), (math.nan, 3), (4, math.nan), (5, 6)]) == "M0 1l1.5 1M5 6"


def test_confusion_shows_fractions_of_the_true_class() -> None:
    text = str(draw_confusion(np.array([[3, 1], [0, 4]]), ["a", "b"], "x", is_percent=False))
    opacities = re.findall(r'fill-opacity="([\d.]+)"', text)
    assert opacities == ["0.75", "0.25", "0.00", "1.00"]


def test_panels_start_with_loss_and_primary_metric() -> None:
    records = run_of_trials()
    panels = curve_panels(records, {0: history(0, 4), 2: history(2, 4)}, {0: "independent"})
    assert [panel.metric for panel in panels if panel.task == "boxes"] == ["loss", "mAP", "mAP50"]
    assert [panel.is_primary for panel in panels if panel.task == "boxes"] == [True, True, False]
    first = panels[0].curves
    assert [(curve.trial, curve.role) for curve in first] == [(0, "independent"), (2, "other")]
    assert list(first[0].epochs) == [1, 2, 3, 4]


def test_effects_have_the_split_depth_of_each_pair() -> None:
    effects = pair_effects(run_of_trials())
    assert len(effects) == 6
    by_pair = {(effect.task, effect.other): effect for effect in effects}
    depths = {point.trial: point.num_shared for point in by_pair["boxes", "depth"].points}
    assert depths[0] == 0
    assert depths[1] == UNITS
    assert depths[2] == 2  # from_splits(TASKS, [2, 4])
    assert 3 not in depths  # failed
    assert num_shared(PLANS["tree"], "boxes", "scene") == 1
    assert num_shared(PLANS["skips"], "boxes", "scene") == UNITS - 1


def test_effects_of_each_task_have_their_own_scale() -> None:
    effects = pair_effects(run_of_trials())
    scales = effect_scales(effects)
    assert scales.keys() == {effect.task for effect in effects}
    for effect in effects:
        low, high = scales[effect.task]
        changes = [point.change for point in effect.points]
        assert low <= min(changes)
        assert max(changes) <= high
    assert len(set(scales.values())) > 1


def test_legend_names_only_the_roles_that_are_drawn() -> None:
    records = baselines()
    histories = {record.number: history(record.number, 3) for record in records}
    roles = {0: "independent", 1: "hard"}  # the best trial is a baseline
    figure = curve_figure(curve_panels(records, histories, roles))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["independent", "hard"]


def test_effects_need_a_reference_and_two_tasks() -> None:
    assert pair_effects(run_of_trials()[1:]) == []


def test_changes_are_those_of_the_counted_metrics() -> None:
    independent, hard = baselines()
    unlearned = results(boxes=0.0)  # mAP 0 is within its noise: Δm does not count it
    reference = replace(independent, results=unlearned)
    assert task_changes(hard, unlearned) == {
        "depth": (pytest.approx(-5.0), None),  # 0.21 instead of 0.2
        "scene": (pytest.approx(100 * (0.05 + 0.03 / 0.55) / 2), None),
    }
    effects = pair_effects([reference, hard])
    assert {effect.task for effect in effects} == {"depth", "scene"}
    assert {effect.other for effect in effects} == set(TASKS)


@pytest.mark.parametrize("gap", [0.6, 1.0, 1.4, 3.0])
def test_front_labels_are_nearest_to_their_own_points(gap: float) -> None:
    deltas = [0.0, -16.3, -1.1, -1.1 - gap]  # the two last ones are close, with equal FLOPs
    frame = pd.DataFrame(
        {
            "trial": [0, 1, 6, 7],
            "delta_m": deltas,
            "flops": [3.9e8, 1.6e8, 2.7e8, 2.7e8],
            "pareto": [True, True, True, False],
        }
    )
    frame.attrs |= {"best": 7, "front": ["delta_m", "flops"]}
    roles = {0: "independent", 1: "hard", 7: "best"}
    text = str(draw_front(frame, roles, width=1040, height=430))
    marks = {
        int(number): (float(x), float(y))
        for x, y, number in re.findall(
            r'<circle cx="([\d.]+)" cy="([\d.]+)" r="5.5" class="mark \w+" data-trial="(\d+)"', text
        )
    }
    labels = {
        int(number): (float(x), float(y) - 3.5)
        for x, y, number in re.findall(
            r'<text x="([\d.]+)" y="([\d.]+)" class="label[^>]*>(\d+)', text
        )
    }
    assert 7 in labels
    is_joined = 'class="whisker leader"' in text
    for number in labels.keys() & marks.keys():
        nearest = min(marks, key=lambda other: math.dist(labels[number], marks[other]))
        assert nearest == number or is_joined
