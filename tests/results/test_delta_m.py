"""Properties of Δm."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.results import (
    TaskResult,
    TrialRecord,
    counted_metrics,
    delta_m,
    delta_m_by_task,
    delta_m_error,
    delta_m_error_by_task,
    reference_of,
    why_unranked,
)

values = st.floats(-100, 100).filter(lambda value: abs(value) > 0.01)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, TaskResult], dict[str, TaskResult]]:
    """Draw a result and a reference with the same tasks and unbounded metrics."""
    tasks = draw(st.lists(st.sampled_from("abcd"), min_size=1, unique=True))
    result, reference = {}, {}
    for task in tasks:
        directions = draw(st.lists(st.booleans(), min_size=1, max_size=3))
        specs = tuple(
            Metric(f"m{i}", higher, i == 0, low=-math.inf, high=math.inf)
            for i, higher in enumerate(directions)
        )
        result[task] = TaskResult({spec.name: draw(values) for spec in specs}, specs)
        reference[task] = TaskResult({spec.name: draw(values) for spec in specs}, specs)
    return result, reference


def changed(results: dict[str, TaskResult], task: str, name: str, value: float):
    metrics = {**results[task].metrics, name: value}
    return {**results, task: replace(results[task], metrics=metrics)}


def leave_out(results: dict[str, TaskResult], task: str, name: str) -> dict[str, TaskResult]:
    """Return the results without a metric, and without its task if it was the only one."""
    specs = tuple(spec for spec in results[task].specs if spec.name != name)
    others = {other: result for other, result in results.items() if other != task}
    return {**others, task: replace(results[task], specs=specs)} if specs else others


def defined(result: dict[str, TaskResult], reference: dict[str, TaskResult]) -> float:
    value, reason = delta_m(result, reference)
    assert value is not None, reason
    return value


@pytest.mark.parametrize("value", [-3.0, 0.0, 0.9, math.nan])
def test_metric_outside_delta_m_does_not_change_it(value: float) -> None:
    specs = (
        Metric("MAE", False, primary=True, high=math.inf),
        Metric("R2", True, low=-math.inf, in_delta_m=False),
    )
    reference = {"age": TaskResult({"MAE": 4.0, "R2": 0.0}, specs)}
    result = {"age": TaskResult({"MAE": 3.0, "R2": value}, specs)}
    assert delta_m(result, reference) == (25.0, "")
    assert not counted_metrics(reference).not_counted


@given(pairs())
def test_delta_m_of_the_reference_is_zero(pair) -> None:
    assert delta_m(pair[1], pair[1]) == (0.0, "")


@given(pairs(), st.floats(0.1, 10), st.data())
def test_delta_m_rises_with_any_metric(pair, step: float, data: st.DataObject) -> None:
    result, reference = pair
    task = data.draw(st.sampled_from(sorted(result)))
    spec = data.draw(st.sampled_from(result[task].specs))
    better = step if spec.higher_is_better else -step
    improved = changed(result, task, spec.name, result[task].metrics[spec.name] + better)
    assert defined(improved, reference) > defined(result, reference)


@given(pairs())
def test_delta_m_ignores_the_order_of_tasks(pair) -> None:
    result, reference = pair
    reordered = dict(reversed(result.items()))
    assert delta_m(reordered, reference) == delta_m(result, dict(reversed(reference.items())))


@given(pairs(), st.floats(1e-3, 1e3), st.data())
def test_delta_m_ignores_the_unit_of_a_metric(pair, scale: float, data: st.DataObject) -> None:
    result, reference = pair
    task = data.draw(st.sampled_from(sorted(result)))
    name = data.draw(st.sampled_from(result[task].specs)).name
    rescaled = [
        changed(results, task, name, results[task].metrics[name] * scale) for results in pair
    ]
    assert defined(*rescaled) == pytest.approx(defined(result, reference), rel=1e-9, abs=1e-6)


@given(pairs(), st.integers(1, 4))
def test_delta_m_weighs_tasks_equally(pair, copies: int) -> None:
    result, reference = pair
    task = sorted(result)[0]

    def with_copies(results: dict[str, TaskResult]) -> dict[str, TaskResult]:
        old = results[task]
        specs = tuple(
            replace(spec, name=f"{spec.name}_{i}") for spec in old.specs for i in range(copies)
        )
        metrics = {
            f"{name}_{i}": value for name, value in old.metrics.items() for i in range(copies)
        }
        return {**results, task: TaskResult(metrics, specs)}

    assert defined(with_copies(result), with_copies(reference)) == pytest.approx(
        defined(result, reference), rel=1e-9, abs=1e-9
    )


@given(pairs(), st.sampled_from([math.nan, math.inf]), st.data())
def test_delta_m_with_invalid_baseline_names_the_metric(
    pair, value: float, data: st.DataObject
) -> None:
    result, reference = pair
    task = data.draw(st.sampled_from(sorted(result)))
    name = data.draw(st.sampled_from(result[task].specs)).name
    value_or_none, reason = delta_m(result, changed(reference, task, name, value))
    assert value_or_none is None
    assert f"{task}.{name}" in reason
    assert "baseline" in reason


@given(pairs(), st.sampled_from([0.0, -0.0]), st.data())
def test_delta_m_ignores_a_metric_whose_baseline_is_0(
    pair, value: float, data: st.DataObject
) -> None:
    result, reference = pair
    task = data.draw(st.sampled_from(sorted(result)))
    spec = data.draw(st.sampled_from(result[task].specs))
    with_zero = changed(reference, task, spec.name, value)
    without = [leave_out(results, task, spec.name) for results in pair]
    if without[0]:
        assert defined(result, with_zero) == defined(*without)
        others = counted_metrics(without[1])
        not_counted = {f"{task}.{spec.name}", *others.not_counted}
        assert set(counted_metrics(with_zero).not_counted) == not_counted
        assert why_unranked(with_zero) == why_unranked(without[1])
    else:
        assert delta_m(result, with_zero) == (0.0, "")
        assert delta_m_by_task(result, with_zero) == {task: 0.0}
        assert delta_m_error(result, with_zero) is None
        assert delta_m_error_by_task(result, with_zero) == {task: 0.0}
        assert counted_metrics(with_zero).is_noise
        assert f"baseline is 0 in {task}.{spec.name}" in why_unranked(with_zero)


def test_delta_m_with_missing_metric_is_undefined() -> None:
    specs = (Metric("acc", higher_is_better=True, primary=True),)
    whole = {"a": TaskResult({"acc": 0.5}, specs), "b": TaskResult({"acc": 0.5}, specs)}
    assert delta_m(changed(whole, "a", "acc", math.nan), whole) == (None, "a.acc was not measured")
    assert delta_m({**whole, "a": TaskResult({}, specs)}, whole) == (None, "a.acc was not measured")
    assert "['b']" in delta_m({"b": whole["b"]}, whole)[1]
    assert "independent" in delta_m(whole, {})[1]


def test_delta_m_worked_example() -> None:
    up, down = Metric("u", True, True), Metric("d", False)
    reference = {
        "a": TaskResult({"u": 0.5, "d": 2.0}, (up, down)),
        "b": TaskResult({"u": 0.8}, (up,)),
    }
    result = {"a": TaskResult({"u": 0.6, "d": 2.2}, (up, down)), "b": TaskResult({"u": 0.6}, (up,))}
    # a: (+20 % - 10 %) / 2 = +5 %; b: -25 %
    assert defined(result, reference) == pytest.approx(-10.0)


def test_reference_is_the_complete_independent_trial() -> None:
    candidate = Candidate(SharingPlan.independent(["a"], 2))
    results = {"a": TaskResult({"u": 1.0}, (Metric("u", True, True),))}
    complete = TrialRecord(3, "complete", "independent", candidate, 1, 1, results)
    others = [
        TrialRecord(0, "failed", "independent", candidate, 1, 1),
        TrialRecord(1, "complete", "hard", candidate, 1, 1, results),
        TrialRecord(2, "complete", None, candidate, 1, 1, results),
    ]
    assert reference_of(others) == {}
    assert reference_of([*others, complete]) == results
