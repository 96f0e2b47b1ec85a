"""Metrics of one task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
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

_MetricValue = Annotated[float, PlainSerializer(_number_to_json)]
_MetricSpec = Annotated[Metric, PlainSerializer(_metric_to_json)]


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The metrics of one task, with their directions.

    Attributes:
        metrics: value by metric name; NaN if undefined.
        specs: the task's metrics, with their directions and the primary one marked.
        per_class: value by metric and class name; empty if unknown. The first metric is the one
            that tables show.
        num_images: number of validation images with the task's label; None if unknown.
    """

    metrics: Annotated[Mapping[str, _MetricValue], MAPPING_TO_JSON]
    specs: tuple[_MetricSpec, ...]
    per_class: Annotated[
        Mapping[str, Annotated[Mapping[str, _MetricValue], MAPPING_TO_JSON]], MAPPING_TO_JSON
    ] = field(default_factory=dict)
    num_images: int | None = None

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

    @property
    def zero_classes(self) -> tuple[str, ...]:
        """The classes whose first result per class is 0, which a mean over classes hides.

        Empty if lower values of the primary metric are better.
        """
        if not any(spec.primary and spec.higher_is_better for spec in self.specs):
            return ()
        first: Mapping[str, float] = next(iter(self.per_class.values()), {})
        return tuple(name for name, value in first.items() if value == 0)
