"""JSON form of predictions."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from mtlsearch.prediction._values import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MaskPrediction,
    NumberPrediction,
    Prediction,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.prediction._spec import OutputSpec

NUM_TOP = 5
"""Number of classes in ``top`` of a category."""


def to_json(output: OutputSpec, prediction: Prediction) -> dict[str, Any]:
    """Return the JSON form of a prediction; masks and maps are summarized.

    ==========  =====================================================================
    category    ``class``, ``score`` and ``top``, the five best classes
    categories  ``classes``: class and score, the best first
    boxes       ``boxes``: class, score and ``xyxy`` in pixels of the image, the best first
    mask        ``size`` [height, width] and ``fractions`` of the pixels by class, 0 included
    number      ``value`` and ``unit``
    map         ``size``, ``unit`` and ``channels``: min, median and max; None if all
                pixels are void
    ==========  =====================================================================

    Scores are rounded to four decimals (None if not finite), coordinates to two, and a number to
    six significant digits.

    Args:
        output: form, classes and unit.
        prediction: the prediction.

    Returns:
        A dictionary that :func:`json.dumps` accepts.
    """
    return {"form": output.form.value, **_content(output, prediction)}


def _content(output: OutputSpec, prediction: Prediction) -> dict[str, Any]:
    if isinstance(prediction, CategoryPrediction):
        order = np.argsort(-prediction.scores, kind="stable")[:NUM_TOP]
        top = [_scored(output, int(index), prediction.scores) for index in order]
        return {**_scored(output, prediction.index, prediction.scores), "top": top}
    if isinstance(prediction, CategoriesPrediction):
        classes = [_scored(output, index, prediction.scores) for index in prediction.indices]
        return {"classes": classes}
    if isinstance(prediction, BoxesPrediction):
        return {"boxes": [_box(output, prediction, row) for row in range(len(prediction.xyxy))]}
    if isinstance(prediction, MaskPrediction):
        return {
            "size": list(prediction.indices.shape),
            "fractions": _fractions(output, prediction),
        }
    if isinstance(prediction, NumberPrediction):
        return {"value": _significant(prediction.value), "unit": output.unit}
    return {
        "size": list(prediction.values.shape[1:]),
        "unit": output.unit,
        "channels": [_summary(plane) for plane in prediction.values],
    }


def _scored(output: OutputSpec, index: int, scores: NDArray[np.float32]) -> dict[str, Any]:
    """Class and score; a true label may come without scores."""
    named: dict[str, Any] = {"class": output.class_name(index)}
    if index < scores.size:
        named["score"] = _rounded(scores[index])
    return named


def _box(output: OutputSpec, prediction: BoxesPrediction, row: int) -> dict[str, Any]:
    named: dict[str, Any] = {"class": output.class_name(int(prediction.classes[row]))}
    if prediction.scores.size:
        named["score"] = _rounded(prediction.scores[row])
    named["xyxy"] = [round(float(side), 2) for side in prediction.xyxy[row]]
    return named


def _rounded(score: np.float32) -> float | None:
    """Return four decimals, or None because JSON has no NaN."""
    return round(float(score), 4) if np.isfinite(score) else None


def _significant(number: float) -> float | None:
    """Return six significant digits, or None because JSON has no NaN."""
    return float(f"{number:.6g}") if isfinite(number) else None


def _fractions(output: OutputSpec, prediction: MaskPrediction) -> dict[str, float]:
    """Return the share of the pixels of each class, 0 included, and of void if it occurs."""
    indices, counts = np.unique(prediction.indices, return_counts=True)
    shares = dict.fromkeys(output.classes, 0.0)
    for index, count in zip(indices, counts, strict=True):
        name = output.class_name(int(index))
        shares[name] = shares.get(name, 0.0) + float(count) / prediction.indices.size
    return {name: round(share, 6) for name, share in shares.items()}


def _summary(plane: NDArray[np.float32]) -> dict[str, float | None]:
    finite = plane[np.isfinite(plane)]
    if not finite.size:
        return {"min": None, "median": None, "max": None}
    return {
        "min": float(finite.min()),
        "median": float(np.median(finite)),
        "max": float(finite.max()),
    }
