"""The JSON form of predictions has class names and only values that JSON can represent."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mtlsearch.labels import Form
from mtlsearch.prediction import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    MapPrediction,
    MaskPrediction,
    NumberPrediction,
    OutputSpec,
    to_json,
)

CLASSES = ("background", "cat", "dog")
SCORES = np.array([0.1, 0.7, 0.2], np.float32)
BOX = np.array([[1.234, 2, 30, 40]], np.float32)
NOTHING = np.zeros(0, np.float32)

CASES = [
    (
        Form.CATEGORY,
        CategoryPrediction(1, SCORES),
        {
            "class": "cat",
            "score": 0.7,
            "top": [
                {"class": "cat", "score": 0.7},
                {"class": "dog", "score": 0.2},
                {"class": "background", "score": 0.1},
            ],
        },
    ),
    (Form.CATEGORY, CategoryPrediction(2, NOTHING), {"class": "dog", "top": []}),
    (
        Form.CATEGORIES,
        CategoriesPrediction((1, 2), SCORES),
        {"classes": [{"class": "cat", "score": 0.7}, {"class": "dog", "score": 0.2}]},
    ),
    (
        Form.BOXES,
        BoxesPrediction(BOX, np.array([2]), np.array([0.5], np.float32)),
        {"boxes": [{"class": "dog", "score": 0.5, "xyxy": [1.23, 2.0, 30.0, 40.0]}]},
    ),
    (
        Form.BOXES,
        BoxesPrediction(BOX, np.array([2]), NOTHING),
        {"boxes": [{"class": "dog", "xyxy": [1.23, 2.0, 30.0, 40.0]}]},
    ),
    (
        Form.MASK,
        MaskPrediction(np.array([[0, 0, 2, 255]])),
        {"size": [1, 4], "fractions": {"background": 0.5, "cat": 0.0, "dog": 0.25, "void": 0.25}},
    ),
    (Form.NUMBER, NumberPrediction(71.30000305), {"value": 71.3, "unit": "m"}),
    (Form.NUMBER, NumberPrediction(0.000123456789), {"value": 0.000123457, "unit": "m"}),
    (Form.NUMBER, NumberPrediction(np.nan), {"value": None, "unit": "m"}),
    (
        Form.MAP,
        MapPrediction(np.array([[[1, 2, 9, np.nan]]], np.float32)),
        {"size": [1, 4], "unit": "m", "channels": [{"min": 1.0, "median": 2.0, "max": 9.0}]},
    ),
    (
        Form.MAP,
        MapPrediction(np.full((1, 2, 2), np.inf, np.float32)),
        {"size": [2, 2], "unit": "m", "channels": [{"min": None, "median": None, "max": None}]},
    ),
]


def test_class_name_of_an_index_without_class_is_void():
    output = OutputSpec(Form.CATEGORY, CLASSES)
    assert [output.class_name(index) for index in (0, 2, 3, 255, -1)] == [
        *(CLASSES[0], CLASSES[2]),
        *("void",) * 3,
    ]


@pytest.mark.parametrize(("form", "prediction", "expected"), CASES)
def test_json_form_has_class_names(form, prediction, expected):
    value = to_json(OutputSpec(form, CLASSES, unit="m"), prediction)
    assert value == {"form": form.value, **expected}
    assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_nan_score_is_null():
    broken = CategoryPrediction(0, np.full(3, np.nan, np.float32))
    assert to_json(OutputSpec(Form.CATEGORY, CLASSES), broken)["score"] is None
