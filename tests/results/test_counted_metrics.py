"""Properties of Δm near the bounds of metrics."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.plugin import Metric
from mtlsearch.results import (
    TaskResult,
    baseline_remarks,
    counted_metrics,
    delta_m,
    delta_m_by_task,
    why_unranked,
)

MAP = (Metric("mAP", higher_is_better=True, primary=True),)
ACCURACY = (Metric("accuracy", higher_is_better=True, primary=True),)
ERROR = (Metric("error", higher_is_better=False, primary=True),)
R2 = (Metric("R2", higher_is_better=True, primary=True, low=-math.inf),)
ABS_REL = (Metric("abs_rel", higher_is_better=False, primary=True, high=math.inf),)

images = st.integers(5, 2000)


def of(specs: tuple[Metric, ...], value: float, num_images: int | None = 80) -> TaskResult:
    return TaskResult({specs[0].name: value}, specs, num_images=num_images)


def both(boxes: float, scene: float, num_images: int | None = 80) -> dict[str, TaskResult]:
    return {"boxes": of(MAP, boxes, num_images), "scene": of(ACCURACY, scene, num_images)}


@pytest.mark.parametrize("baseline", [0.0, 0.002, 0.047])
@pytest.mark.parametrize("measured", [0.0, 0.004, 0.3])
def test_metric_near_its_worst_value_does_not_rank(baseline: float, measured: float) -> None:
    value, reason = delta_m(both(measured, 0.55), both(baseline, 0.5))
    assert value == pytest.approx(10.0)
    assert not reason
    counted = counted_metrics(both(baseline, 0.5))
    assert counted.not_counted == {"boxes.mAP": baseline}
    assert not counted.is_noise


@pytest.mark.parametrize(
    ("specs", "value", "is_counted"),
    [
        (MAP, 0.048, True),
        (ERROR, 0.96, False),
        (ERROR, 0.95, True),
        (R2, 0.04, False),
        (R2, -0.3, False),
        (R2, 0.06, True),
        (ABS_REL, 1e-6, True),
        (ABS_REL, 1e6, True),
        (ABS_REL, 0.0, False),
    ],
)
def test_metric_is_counted_beyond_two_standard_errors(
    specs: tuple[Metric, ...], value: float, is_counted: bool
) -> None:
    reference = {"a": of(specs, value), "b": of(ACCURACY, 0.5)}
    assert ("a" in counted_metrics(reference).by_task) == is_counted
    unknown = {"a": of(specs, value, None), "b": of(ACCURACY, 0.5)}
    assert ("a" in counted_metrics(unknown).by_task) == (value != 0)


@given(st.floats(0.0, 1.0), images)
def test_not_counted_values_are_within_two_standard_errors(value: float, num_images: int) -> None:
    reference = both(value, 0.5, num_images)
    standard_error = math.sqrt(value * (1.0 - value) / num_images)
    if abs(value - 2.0 * standard_error) > 1e-12:
        expected = value <= 2.0 * standard_error
        assert ("boxes.mAP" in counted_metrics(reference).not_counted) == expected


@given(st.floats(0.5, 0.9), st.floats(0.0, 1.0), st.integers(20, 2000))
def test_metric_inside_its_bounds_is_a_plain_change(
    baseline: float, measured: float, num_images: int
) -> None:
    value, _ = delta_m(both(0.5, measured, num_images), both(0.5, baseline, num_images))
    assert value == 100.0 * fmean([0.0, (measured - baseline) / baseline])
    assert value == delta_m(both(0.5, measured, None), both(0.5, baseline, None))[0]


@given(st.integers(10, 500), st.data())
def test_saturated_metric_counts_losses_of_more_than_one_image(
    num_images: int, data: st.DataObject
) -> None:
    missed_by_baseline = data.draw(st.integers(0, 1))
    missed = data.draw(st.integers(0, num_images))
    reference = {"scene": of(ACCURACY, (num_images - missed_by_baseline) / num_images, num_images)}
    result = {"scene": of(ACCURACY, (num_images - missed) / num_images, num_images)}
    value, _ = delta_m(result, reference)
    assert value == pytest.approx(-100.0 * max(0, missed - 1) / (num_images - 1), abs=1e-9)
    assert list(counted_metrics(reference).saturated) == ["scene.accuracy"]


@given(st.floats(0.0, 0.04), st.floats(0.0, 1.0))
def test_saturated_error_counts_losses_beyond_its_noise(baseline: float, measured: float) -> None:
    limit = 4 / 84
    reference = {"scene": of(ERROR, baseline)}
    value, _ = delta_m({"scene": of(ERROR, measured)}, reference)
    assert value == pytest.approx(-100.0 * max(0.0, measured - limit) / limit, abs=1e-9)
    assert list(counted_metrics(reference).saturated) == ["scene.error"]


def test_all_metrics_near_their_worst_value_are_counted_as_noise() -> None:
    reference = both(0.002, 0.0)
    counted = counted_metrics(reference)
    assert counted.is_noise
    assert list(counted.not_counted) == ["scene.accuracy"]
    assert delta_m(both(0.003, 0.1), reference)[0] == pytest.approx(50.0)
    assert "Δm is noise" in baseline_remarks(reference)[0]


def test_baseline_of_zeros_makes_delta_m_zero_with_a_remark() -> None:
    reference = both(0.0, 0.0)
    assert delta_m(both(0.3, 0.5), reference) == (0.0, "")
    assert delta_m_by_task(both(0.3, 0.5), reference) == {"boxes": 0.0, "scene": 0.0}
    remark = baseline_remarks(reference)[0]
    assert remark.startswith("all metrics of the independent baseline are 0")
    assert why_unranked(reference) == (
        "the independent baseline is 0 in boxes.mAP, scene.accuracy, so Δm counts no metric"
    )
    assert not why_unranked(both(0.002, 0.0))
    assert "no trained independent baseline" in why_unranked({})


@given(st.sampled_from([MAP, ERROR]), st.floats(0.0, 1.0), st.integers(1, 50))
def test_no_metric_is_near_both_bounds(
    specs: tuple[Metric, ...], value: float, num_images: int
) -> None:
    result = of(specs, value, num_images)
    assert not (result.is_near_worst(specs[0]) and result.saturation_limit(specs[0]) is not None)


def test_parts_of_tasks_have_delta_m_as_their_mean() -> None:
    result, reference = both(0.3, 0.55), both(0.002, 0.5)
    parts = delta_m_by_task(result, reference)
    assert parts is not None
    assert parts["boxes"] == 0.0
    assert fmean(parts.values()) == pytest.approx(delta_m(result, reference)[0])


def test_remarks_name_metrics_and_values() -> None:
    near_worst, near_best = both(0.002, 0.5), both(0.5, 1.0)
    assert baseline_remarks(near_worst)[0].startswith("Δm does not count boxes.mAP (0.002): ")
    assert "Of this task, it counts nothing." in baseline_remarks(near_worst)[0]
    assert baseline_remarks(near_best)[0].startswith("Δm counts only losses of scene.accuracy (1)")
    assert baseline_remarks(both(0.5, 0.5)) == []
    assert baseline_remarks({}) == []
