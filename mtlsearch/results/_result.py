"""Metrics of one task with their standard errors, and their noise near the bounds of a metric.

The mean over n images of a number from 0 to 1 has a standard error of at most
``sqrt(m (1 - m) / n)``, so a metric m is within two standard errors of 0 up to ``4 / (n + 4)``.
A measured error counts where it is larger, because it lacks the noise of training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from statistics import fmean
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import PlainSerializer, SerializerFunctionWrapHandler, WrapSerializer

from mtlsearch.plugin import Metric


def _number_to_json(value: float) -> float | str:
    """Return ``"nan"``, ``"inf"`` or ``"-inf"`` for these numbers, which JSON cannot hold."""
    return value if math.isfinite(value) else str(value)


def _metric_to_json(metric: Metric) -> dict[str, Any]:
    return dict(_metric_items(metric))


@cache
def _metric_items(metric: Metric) -> tuple[tuple[str, Any], ...]:
    """Return the JSON form as items; a run has few metrics, and each occurs in every record."""
    bounds = {"low": _number_to_json(metric.low), "high": _number_to_json(metric.high)}
    return tuple((asdict(metric) | bounds).items())


def _mapping_to_json(value: Mapping[Any, Any], handler: SerializerFunctionWrapHandler) -> Any:
    return handler(dict(value))


MAPPING_TO_JSON = WrapSerializer(_mapping_to_json)
"""Serializer of read-only mappings."""

Number = Annotated[float, PlainSerializer(_number_to_json)]
_MetricSpec = Annotated[Metric, PlainSerializer(_metric_to_json)]


STANDARD_ERRORS = 2.0
"""A metric within this many standard errors of its worst value is within its noise."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The metrics of one task, with their directions.

    Attributes:
        metrics: value by metric name; NaN if undefined.
        specs: the task's metrics, with their directions and the primary one marked.
        per_class: value by metric and class name; empty if unknown. The first metric is the one
            that tables show.
        num_images: number of validation images with the task's label; None if unknown.
        errors: standard error by metric name, in the unit of the metric, over validation images;
            without metrics whose error is unknown. Those of ``replicates`` are added.
        replicates: value by metric name without each fold of the validation images in turn, as
            many as there are folds. Results on equal images have equal folds, so that the error
            of a difference can be computed.
    """

    metrics: Annotated[Mapping[str, Number], MAPPING_TO_JSON]
    specs: tuple[_MetricSpec, ...]
    per_class: Annotated[
        Mapping[str, Annotated[Mapping[str, Number], MAPPING_TO_JSON]], MAPPING_TO_JSON
    ] = field(default_factory=dict)
    num_images: int | None = None
    errors: Annotated[Mapping[str, Number], MAPPING_TO_JSON] = field(default_factory=dict)
    replicates: Annotated[Mapping[str, tuple[float, ...]], MAPPING_TO_JSON] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics", MappingProxyType(dict(self.metrics)))
        # One NaN object: records with equal results compare equal.
        per_class = {
            metric: MappingProxyType(
                {name: math.nan if math.isnan(value) else value for name, value in values.items()}
            )
            for metric, values in self.per_class.items()
        }
        object.__setattr__(self, "per_class", MappingProxyType(per_class))
        object.__setattr__(self, "replicates", MappingProxyType(dict(self.replicates)))
        measured = {name: jackknife_error(values) for name, values in self.replicates.items()}
        object.__setattr__(self, "errors", MappingProxyType(dict(self.errors) | measured))

    @property
    def zero_classes(self) -> tuple[str, ...]:
        """The classes whose first result per class is 0, which a mean over classes hides.

        Empty if lower values of the primary metric are better.
        """
        first: Mapping[str, float] = next(iter(self.per_class.values()), {})
        if not first or not any(spec.primary and spec.higher_is_better for spec in self.specs):
            return ()
        return tuple(name for name, value in first.items() if value == 0)

    def value(self, spec: Metric) -> float:
        """Return the value of a metric; NaN if it was not measured.

        Args:
            spec: the metric.

        Returns:
            The value.
        """
        return self.metrics.get(spec.name, math.nan)

    def is_near_worst(self, spec: Metric) -> bool:
        """Return whether a metric has no relative change or is within its noise of the worst value.

        Args:
            spec: the metric.

        Returns:
            True if the value is 0, unless 0 is the best value and its noise is known, or if it is
            within two standard errors of the worst value. The error is the larger one of the
            measured error and the largest possible one for the number of images.
        """
        value = self.value(spec)
        if value == 0 and self.saturation_limit(spec) is None:
            return True
        worst, best = _bounds(spec)
        if not math.isfinite(value) or not math.isfinite(worst):
            return False
        if abs(value - worst) <= STANDARD_ERRORS * self.errors.get(spec.name, 0.0):
            return True
        if not self.num_images or not math.isfinite(best):
            return False
        return (value - worst) / (best - worst) <= _noise(self.num_images)

    def saturation_limit(self, spec: Metric) -> float | None:
        """Return the value from which all better values of a metric count as equal.

        Args:
            spec: the metric.

        Returns:
            The value one image below the best one, or two standard errors above if lower is
            better; None if this result does not reach it, or if the number of images or a bound of
            the metric is unknown.
        """
        worst, best = _bounds(spec)
        if not self.num_images or not math.isfinite(best - worst):
            return None
        # A relative change divides by an error near 0, but not by an accuracy near 1.
        noise = _noise(self.num_images)
        margin = 1 / self.num_images if spec.higher_is_better else noise
        if margin + noise >= 1.0:  # so few images that all values are near the worst one
            return None
        limit = best - (best - worst) * margin
        distance = abs(best - self.value(spec))
        # A division such as 19 / 20 is not exact.
        return limit if distance <= abs(best - limit) * (1 + 1e-9) else None


def jackknife_error(values: Sequence[float]) -> float:
    """Return the standard error of an estimate from its values without one fold each.

    Args:
        values: the estimates, one per fold, two or more.

    Returns:
        The error by the delete-group jackknife (Quenouille, Tukey), in the unit of the values.
    """
    mean = fmean(values)
    squares = sum((value - mean) ** 2 for value in values)
    return math.sqrt(squares * (len(values) - 1) / len(values))


def relative_drop(before: float, after: float, *, higher_is_better: bool) -> float:
    """Return by how much a metric became worse.

    Args:
        before: its value before a change.
        after: its value after the change.
        higher_is_better: its direction.

    Returns:
        Percent of the value before; negative if the metric became better, and 0 if it was
        undefined. NaN if it is undefined after the change, infinite if it was 0 before.
    """
    worse = before - after if higher_is_better else after - before
    if math.isnan(before) or worse == 0:
        return 0.0
    return math.copysign(math.inf, worse) if before == 0 else 100 * worse / abs(before)


def _noise(num_images: int) -> float:
    """Return the largest mean of numbers from 0 to 1 that is within its noise of 0."""
    return STANDARD_ERRORS**2 / (num_images + STANDARD_ERRORS**2)


def _bounds(spec: Metric) -> tuple[float, float]:
    """Return the worst and the best value."""
    # A metric that can be negative, such as a correlation, is 0 without any skill.
    return (max(spec.low, 0.0), spec.high) if spec.higher_is_better else (spec.high, spec.low)
