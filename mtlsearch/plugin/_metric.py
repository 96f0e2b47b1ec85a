"""Metric, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """Name, direction and bounds of a metric.

    Attributes:
        name: name from the literature, such as ``"mIoU"``.
        higher_is_better: whether the metric is maximized.
        primary: whether tables show this metric for the task; exactly one metric per task.
        low: smallest possible value.
        high: largest possible value; ``inf`` if there is none.
    """

    name: str
    higher_is_better: bool
    primary: bool = False
    low: float = 0.0
    high: float = 1.0
