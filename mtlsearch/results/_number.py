"""Numbers in JSON, which has no NaN and no infinity."""

from __future__ import annotations

import math


def to_number(value: float) -> float | str:
    """The number itself, or ``"nan"``, ``"inf"``, ``"-inf"``: strict readers refuse bare ones."""
    return value if math.isfinite(value) else str(value)


def from_number(value: float | str) -> float:
    """The number that :func:`to_number` wrote."""
    return float(value)
