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
        low: smallest possible value; ``-inf`` if there is none.
        high: largest possible value; ``inf`` if there is none. With both bounds, Δm does not count
            a baseline within its noise of the worst value, and only losses from the best value.
    """

    name: str
    higher_is_better: bool
    primary: bool = False
    low: float = 0.0
    high: float = 1.0
