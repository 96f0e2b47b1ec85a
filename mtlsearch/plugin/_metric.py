"""One measured number, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """Name and direction of a metric.

    Attributes:
        name: the field's name for it, such as ``"mIoU"``.
        higher_is_better: its direction.
        primary: whether it speaks for its task in the leaderboard; one a task does.
        low: smallest possible value.
        high: largest possible value, ``inf`` where there is none.
    """

    name: str
    higher_is_better: bool
    primary: bool = False
    low: float = 0.0
    high: float = 1.0
