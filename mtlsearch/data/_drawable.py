"""Labels as predictions, so that the same functions draw and export both."""

from __future__ import annotations

from typing import cast

import numpy as np

from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel
from mtlsearch.prediction import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    NumberPrediction,
    OutputSpec,
    Prediction,
)


def label_prediction(spec: LabelSpec, value: RawLabel) -> tuple[OutputSpec, Prediction]:
    """Convert a label to a prediction whose scores are all 1.

    Crowd boxes get additional classes, such as ``"person (crowd)"``.

    Args:
        spec: specification of the label.
        value: a valid value, in pixels of the original image.

    Returns:
        Specification and value of the prediction.
    """
    output = OutputSpec(spec.form, spec.classes, spec.unit)
    if isinstance(value, Boxes):
        return _boxes(spec, value)
    if spec.form is Form.NUMBER:
        return output, NumberPrediction(float(cast("float", value)))
    if not isinstance(value, np.ndarray):
        indices = value if isinstance(value, tuple) else (int(value),)
        scores = np.zeros(len(spec.classes), np.float32)
        scores[list(indices)] = 1.0
        if spec.form is Form.CATEGORY:
            return output, CategoryPrediction(indices[0], scores)
        return output, CategoriesPrediction(indices, scores)
    if spec.form is Form.MASK:
        return output, MaskPrediction(value.astype(np.int32))
    return output, MapPrediction(value.astype(np.float32))


def _boxes(spec: LabelSpec, boxes: Boxes) -> tuple[OutputSpec, Prediction]:
    classes, names = boxes.classes, spec.classes
    if boxes.crowd.any():
        classes = classes + len(names) * boxes.crowd
        names = (*names, *(f"{name} (crowd)" for name in names))
    scores = np.ones(len(classes), np.float32)
    return OutputSpec(spec.form, names, spec.unit), BoxesPrediction(boxes.xyxy, classes, scores)
