"""Standard errors of metrics and of Δm, against a bootstrap over images."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.results import (
    TaskResult,
    TrialRecord,
    delta_m,
    delta_m_by_task,
    delta_m_error,
    delta_m_error_by_task,
    jackknife_error,
)

NUM_IMAGES, NUM_FOLDS = 400, 20
ACCURACY = (Metric("accuracy", True, primary=True),)
ABS_REL = (Metric("abs_rel", False, primary=True, high=math.inf),)

Values = NDArray[np.float64]


def images(seed: int) -> dict[str, tuple[Values, Values]]:
    """Return numbers per image of a candidate and of a baseline on the same images, by task."""
    generator = np.random.default_rng(seed)
    difficulty = generator.random(NUM_IMAGES)
    noise = generator.normal(0, 0.1, (4, NUM_IMAGES))
    return {
        "scene": (
            (difficulty + noise[0] < 0.7).astype(float),
            (difficulty + noise[1] < 0.6).astype(float),
        ),
        "depth": (0.1 + 0.2 * difficulty + 0.1 * noise[2], 0.1 + 0.3 * difficulty + 0.1 * noise[3]),
    }


def measured(values: Values, specs: tuple[Metric, ...], *, paired: bool) -> TaskResult:
    fold = np.arange(NUM_IMAGES) % NUM_FOLDS
    (spec,) = specs
    metrics = {spec.name: float(values.mean())}
    if not paired:
        error = float(values.std(ddof=1)) / math.sqrt(NUM_IMAGES)
        return TaskResult(metrics, specs, num_images=NUM_IMAGES, errors={spec.name: error})
    without = tuple(float(values[fold != number].mean()) for number in range(NUM_FOLDS))
    return TaskResult(metrics, specs, num_images=NUM_IMAGES, replicates={spec.name: without})


def results(
    of: dict[str, tuple[Values, Values]], *, paired: bool = True
) -> tuple[dict[str, TaskResult], dict[str, TaskResult]]:
    specs = {"scene": ACCURACY, "depth": ABS_REL}
    candidate = {name: measured(of[name][0], specs[name], paired=paired) for name in of}
    baseline = {name: measured(of[name][1], specs[name], paired=paired) for name in of}
    return candidate, baseline


def bootstrapped(of: dict[str, tuple[Values, Values]]) -> dict[str, float]:
    """Return the deviation of the change of each task, and of Δm, over resamples."""
    generator = np.random.default_rng(0)
    samples: dict[str, list[float]] = {name: [] for name in (*of, "delta_m")}
    for _ in range(2000):
        drawn = generator.integers(NUM_IMAGES, size=NUM_IMAGES)
        parts = {name: 100 * (a[drawn].mean() / b[drawn].mean() - 1) for name, (a, b) in of.items()}
        parts["depth"] *= -1
        for name, part in parts.items():
            samples[name].append(part)
        samples["delta_m"].append(float(np.mean(list(parts.values()))))
    return {name: float(np.std(values)) for name, values in samples.items()}


def test_jackknife_error_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=50)
    without = [float(np.delete(values, index).mean()) for index in range(50)]
    assert jackknife_error(without) == pytest.approx(values.std(ddof=1) / math.sqrt(50))


def test_error_of_delta_m_agrees_with_bootstrap() -> None:
    ratios = []
    for seed in range(20):
        of = images(seed)
        error, expected = delta_m_error(*results(of)), bootstrapped(of)
        errors = delta_m_error_by_task(*results(of))
        assert error is not None
        assert errors is not None
        ratios.append(
            [error / expected["delta_m"], *(errors[name] / expected[name] for name in of)]
        )
    # The error of 20 folds has a standard error of a sixth.
    np.testing.assert_allclose(np.mean(ratios, axis=0), 1.0, atol=0.1)
    np.testing.assert_allclose(ratios, 1.0, atol=0.6)


def test_error_of_paired_results_is_below_that_of_unpaired() -> None:
    of = images(0)
    paired, unpaired = delta_m_error(*results(of)), delta_m_error(*results(of, paired=False))
    assert paired is not None
    assert unpaired is not None
    assert paired < 0.8 * unpaired


def test_error_of_unpaired_results_is_propagated() -> None:
    of = images(0)
    candidate, baseline = results(of, paired=False)
    a, b = candidate["scene"].metrics["accuracy"], baseline["scene"].metrics["accuracy"]
    relative = math.hypot(
        candidate["scene"].errors["accuracy"] / a, baseline["scene"].errors["accuracy"] / b
    )
    errors = delta_m_error_by_task(candidate, baseline)
    assert errors is not None
    assert errors["scene"] == pytest.approx(100 * relative * a / b)
    total = delta_m_error(candidate, baseline)
    assert total == pytest.approx(math.hypot(*errors.values()) / 2)


def test_error_of_the_baseline_against_itself_is_zero() -> None:
    _, baseline = results(images(0))
    assert delta_m_error(baseline, baseline) == pytest.approx(0, abs=1e-12)


def test_error_of_a_baseline_of_0_in_a_fold_is_propagated() -> None:
    # One image has all of the metric, so that the replicate without its fold is 0.
    values = np.zeros(NUM_IMAGES)
    values[0] = 1.0
    baseline = {"scene": measured(values, ACCURACY, paired=True)}
    assert 0.0 in baseline["scene"].replicates["accuracy"]
    assert delta_m_error(baseline, baseline) == pytest.approx(100 * math.sqrt(2), rel=0.01)
    assert delta_m_error_by_task(baseline, baseline) == {"scene": delta_m_error(baseline, baseline)}


def test_unknown_error_of_a_task_leaves_that_of_others() -> None:
    candidate, baseline = results(images(0))
    plain = TaskResult(candidate["depth"].metrics, ABS_REL)
    errors = delta_m_error_by_task({**candidate, "depth": plain}, baseline)
    assert errors is not None
    assert set(errors) == {"scene"}
    assert delta_m_error({**candidate, "depth": plain}, baseline) is None


def test_error_of_an_uncounted_task_is_zero() -> None:
    candidate, baseline = results(images(0))
    zero = TaskResult({"accuracy": 0.0}, ACCURACY, errors={"accuracy": 0.0})
    candidate["scene"], baseline["scene"] = zero, zero
    parts, errors = delta_m_by_task(candidate, baseline), delta_m_error_by_task(candidate, baseline)
    assert parts is not None
    assert errors is not None
    assert parts["scene"] == errors["scene"] == 0
    error = delta_m_error(candidate, baseline)
    assert error == pytest.approx(errors["depth"] / 2)


def test_saturated_metric_has_error_of_losses_only() -> None:
    values = np.ones(NUM_IMAGES)
    baseline = {"scene": measured(values, ACCURACY, paired=True)}
    assert delta_m_error(baseline, baseline) == 0
    values[:40] = 0
    worse = {"scene": measured(values, ACCURACY, paired=True)}
    error = delta_m_error(worse, baseline)
    assert error == pytest.approx(100 * worse["scene"].errors["accuracy"], rel=0.02)


@pytest.mark.parametrize(
    ("value", "error", "is_near"),
    [
        (0.03, None, True),  # the bound for 80 images is 0.048
        (0.03, 0.001, True),
        (0.03, 0.02, True),
        (0.06, None, False),
        (0.06, 0.02, False),
        (0.06, 0.035, True),
        (0.06, math.nan, False),
    ],
)
def test_larger_error_decides_whether_a_metric_is_noise(
    value: float, error: float | None, is_near: bool
) -> None:
    errors = {} if error is None else {"accuracy": error}
    result = TaskResult({"accuracy": value}, ACCURACY, num_images=80, errors=errors)
    assert result.is_near_worst(ACCURACY[0]) is is_near


@pytest.mark.parametrize(("error", "is_near"), [(0.011, False), (0.02, True)])
def test_measured_error_counts_without_number_of_images(error: float, is_near: bool) -> None:
    result = TaskResult({"accuracy": 0.03}, ACCURACY, errors={"accuracy": error})
    assert result.is_near_worst(ACCURACY[0]) is is_near


def test_errors_and_replicates_round_trip_through_json() -> None:
    candidate, _ = results(images(0))
    plan = SharingPlan.from_splits(list(candidate), [1], 3)
    record = TrialRecord(0, "complete", None, Candidate(plan), 1, 1, candidate)
    read = TrialRecord.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False)))
    assert read == record
    assert read.results["scene"].errors == candidate["scene"].errors
    assert delta_m(read.results, candidate)[0] == 0


def test_record_without_errors_is_read() -> None:
    candidate, _ = results(images(0))
    plan = SharingPlan.from_splits(list(candidate), [1], 3)
    older = TrialRecord(0, "complete", None, Candidate(plan), 1, 1, candidate).to_json()
    for result in older["results"].values():
        del result["errors"], result["replicates"]
    assert dict(TrialRecord.from_json(older).results["scene"].errors) == {}
