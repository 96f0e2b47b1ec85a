"""True labels in the shape of predictions, so that one function draws both."""

from __future__ import annotations

import numpy as np

from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel
from mtlsearch.prediction import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    OutputSpec,
    Prediction,
)


def label_prediction(spec: LabelSpec, value: RawLabel) -> tuple[OutputSpec, Prediction]:
    """A true label as a prediction that is sure of itself: every score is 1.

    Crowd boxes get classes of their own, named ``"person (crowd)"`` after the class.

    Args:
        spec: the label's specification.
        value: a valid value of it, in pixels of the original image.
    """
    output = OutputSpec(spec.form, spec.classes, spec.unit)
    if isinstance(value, Boxes):
        return _boxes(spec, value)
    if not isinstance(value, np.ndarray):
        indices = value if isinstance(value, tuple) else (value,)
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
    sure = np.ones(len(classes), np.float32)
    return OutputSpec(spec.form, names, spec.unit), BoxesPrediction(boxes.xyxy, classes, sure)
