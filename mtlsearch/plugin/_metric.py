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
        in_delta_m: whether Δm counts it. Set False if it can be 0 or change its sign, as R2 does,
            because a relative change has no meaning there; or if it repeats another metric.
    """

    name: str
    higher_is_better: bool
    primary: bool = False
    low: float = 0.0
    high: float = 1.0
    in_delta_m: bool = True
