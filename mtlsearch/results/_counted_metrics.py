"""Metrics of the ``independent`` baseline that Δm counts.

A relative change divides by the value of the baseline. If that value is noise, so is the change:
an mAP of 0.004 instead of 0.002 would be +100 %. The mean over n images of a number from 0 to 1
has a standard error of at most ``sqrt(m (1 - m) / n)``, so a metric m is within two standard
errors of 0 up to ``4 / (n + 4)``. Such a metric is not counted.

A saturated metric has no room above, and its last image is chance. All values within one image of
the best value count as equal, so only a loss of more than one image changes Δm. An error near 0,
by which a relative change divides, is saturated within two standard errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mtlsearch.plugin import Metric
from mtlsearch.results._result import TaskResult

STANDARD_ERRORS = 2.0
"""A baseline within this many standard errors of the worst value is not counted."""


@dataclass(frozen=True, slots=True)
class CountedMetrics:
    """The metrics that Δm counts, given the results of the ``independent`` baseline.

    Attributes:
        by_task: the counted metrics by task, without tasks that have none.
        not_counted: value of the baseline by ``task.metric`` of the metrics that are not counted.
        saturated: value of the baseline by ``task.metric`` of counted metrics that are within one
            image, or as errors within two standard errors, of their best value.
        is_noise: whether no metric of the baseline exceeds its noise. Then all metrics that are
            not 0 are counted, and Δm is noise.
    """

    by_task: Mapping[str, tuple[Metric, ...]]
    not_counted: Mapping[str, float]
    saturated: Mapping[str, float]
    is_noise: bool = False


def counted_metrics(reference: Mapping[str, TaskResult]) -> CountedMetrics:
    """Return which metrics Δm counts.

    Args:
        reference: results of the ``independent`` trial by task.

    Returns:
        The counted metrics. A metric that was not measured is counted, so that Δm is undefined.
    """
    by_task = {
        task: tuple(spec for spec in result.specs if not _is_near_worst(spec, result))
        for task, result in sorted(reference.items())
    }
    is_noise = not any(by_task.values())
    if is_noise:
        by_task = {
            task: tuple(spec for spec in result.specs if _value(spec, result) != 0)
            for task, result in sorted(reference.items())
        }
    return CountedMetrics(
        {task: specs for task, specs in by_task.items() if specs},
        {
            f"{task}.{spec.name}": _value(spec, result)
            for task, result in sorted(reference.items())
            for spec in result.specs
            if spec not in by_task[task]
        },
        {
            f"{task}.{spec.name}": _value(spec, reference[task])
            for task, specs in by_task.items()
            for spec in specs
            if saturation_limit(spec, reference[task]) is not None
        },
        is_noise,
    )


def saturation_limit(spec: Metric, baseline: TaskResult) -> float | None:
    """Return the value from which all better values of a metric count as equal.

    Args:
        spec: the metric.
        baseline: results of its task in the ``independent`` trial.

    Returns:
        The value one image below the best one, or two standard errors above if lower is better;
        None if the baseline does not reach it, or if the number of images or a bound of the metric
        is unknown.
    """
    worst, best = _worst(spec), spec.high if spec.higher_is_better else spec.low
    if not baseline.num_images or not math.isfinite(best - worst):
        return None
    margin = 1 / baseline.num_images if spec.higher_is_better else _noise(baseline.num_images)
    limit = best - (best - worst) * margin
    distance = abs(best - _value(spec, baseline))
    # A division such as 19 / 20 is not exact.
    return limit if limit and distance <= abs(best - limit) * (1 + 1e-9) else None


def _is_near_worst(spec: Metric, baseline: TaskResult) -> bool:
    """Return whether a value has no relative change or is within its noise of the worst value."""
    value, worst = _value(spec, baseline), _worst(spec)
    best = spec.high if spec.higher_is_better else spec.low
    if value == 0 and saturation_limit(spec, baseline) is None:
        return True
    if not baseline.num_images or not math.isfinite(value) or not math.isfinite(best - worst):
        return False
    return (value - worst) / (best - worst) <= _noise(baseline.num_images)


def _noise(num_images: int) -> float:
    """Return the largest mean of numbers from 0 to 1 that is within its noise of 0."""
    return STANDARD_ERRORS**2 / (num_images + STANDARD_ERRORS**2)


def _worst(spec: Metric) -> float:
    """Return the worst value: that of a model that has learned nothing."""
    # A metric that can be negative, such as R2, is 0 without any skill.
    return max(spec.low, 0.0) if spec.higher_is_better else spec.high


def _value(spec: Metric, result: TaskResult) -> float:
    return result.metrics.get(spec.name, math.nan)
