"""Predictions as JSON-ready values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mtlsearch.prediction._values import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MaskPrediction,
    Prediction,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.prediction._spec import OutputSpec

LISTED = 5
"""How many of the likeliest classes a category's JSON lists."""


def class_name(output: OutputSpec, index: int) -> str:
    """The name of a class; ``void`` for an index that names none, as in true masks."""
    return output.classes[index] if 0 <= index < len(output.classes) else "void"


def to_json(output: OutputSpec, prediction: Prediction) -> dict[str, Any]:
    """A prediction as JSON-ready values; pixels are summed up, files hold them.

    ==========  =====================================================================
    category    ``class``, ``score`` and ``top``, the likeliest five
    categories  ``classes``: class and score, the likeliest first
    boxes       ``boxes``: class, score and ``xyxy`` in pixels of the image, best first
    mask        ``size`` [height, width] and ``fractions``: class to share of the pixels
    map         ``size``, ``unit`` and ``channels``: min, median and max, None where no
                pixel is finite
    ==========  =====================================================================

    Scores are rounded to four decimals (None where not finite), coordinates to two.
    """
    return {"form": output.form.value, **_content(output, prediction)}


def _content(output: OutputSpec, prediction: Prediction) -> dict[str, Any]:
    if isinstance(prediction, CategoryPrediction):
        order = np.argsort(-prediction.scores, kind="stable")[:LISTED]
        top = [_scored(output, int(at), prediction.scores) for at in order]
        return {**_scored(output, prediction.index, prediction.scores), "top": top}
    if isinstance(prediction, CategoriesPrediction):
        found = [_scored(output, at, prediction.scores) for at in prediction.indices]
        return {"classes": found}
    if isinstance(prediction, BoxesPrediction):
        return {"boxes": [_box(output, prediction, at) for at in range(len(prediction.xyxy))]}
    if isinstance(prediction, MaskPrediction):
        return {
            "size": list(prediction.indices.shape),
            "fractions": _fractions(output, prediction),
        }
    return {
        "size": list(prediction.values.shape[1:]),
        "unit": output.unit,
        "channels": [_summary(plane) for plane in prediction.values],
    }


def _scored(output: OutputSpec, index: int, scores: NDArray[np.float32]) -> dict[str, Any]:
    """Class and score; a true label may come without scores."""
    named: dict[str, Any] = {"class": class_name(output, index)}
    if index < scores.size:
        named["score"] = _rounded(scores[index])
    return named


def _box(output: OutputSpec, prediction: BoxesPrediction, at: int) -> dict[str, Any]:
    named: dict[str, Any] = {"class": class_name(output, int(prediction.classes[at]))}
    if prediction.scores.size:
        named["score"] = _rounded(prediction.scores[at])
    named["xyxy"] = [round(float(side), 2) for side in prediction.xyxy[at]]
    return named


def _rounded(score: np.float32) -> float | None:
    """Four decimals; JSON has no NaN."""
    return round(float(score), 4) if np.isfinite(score) else None


def _fractions(output: OutputSpec, prediction: MaskPrediction) -> dict[str, float]:
    """Share of the pixels of every class that has any."""
    indices, counts = np.unique(prediction.indices, return_counts=True)
    shares: dict[str, float] = {}
    for index, count in zip(indices, counts, strict=True):
        name = class_name(output, int(index))
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
