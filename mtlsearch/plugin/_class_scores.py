"""Per-class scores of predictions from counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import SupportsFloat


def class_scores(
    classes: Sequence[str],
    *,
    correct: Sequence[SupportsFloat],
    true: Sequence[SupportsFloat],
    predicted: Sequence[SupportsFloat],
) -> dict[str, dict[str, float]]:
    """Return accuracy, F1 and IoU of each class.

    ============  =====================================================================
    accuracy      ``correct / true``, also called recall; NaN for a class that does not occur
    F1            ``2 correct / (true + predicted)``
    IoU           ``correct / (true + predicted - correct)``
    ============  =====================================================================

    F1 and IoU are NaN for a class that neither occurs nor is predicted.

    >>> class_scores(["cat", "dog"], correct=[3, 0], true=[4, 1], predicted=[4, 1])["accuracy"]
    {'cat': 0.75, 'dog': 0.0}

    Args:
        classes: class names by index.
        correct: images or pixels of each class that are predicted as this class.
        true: images or pixels of each class.
        predicted: images or pixels that are predicted as each class.

    Returns:
        Value from 0 to 1 by metric and class name.
    """
    scores: dict[str, dict[str, float]] = {"accuracy": {}, "F1": {}, "IoU": {}}
    for name, *counts in zip(classes, correct, true, predicted, strict=True):
        both, num_true, num_predicted = map(float, counts)
        scores["accuracy"][name] = _ratio(both, num_true)
        scores["F1"][name] = _ratio(2 * both, num_true + num_predicted)
        scores["IoU"][name] = _ratio(both, num_true + num_predicted - both)
    return scores


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
