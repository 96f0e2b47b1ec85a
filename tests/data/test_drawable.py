"""Labels as predictions."""

from __future__ import annotations

import numpy as np
import pytest

from mtlsearch.data import label_prediction
from mtlsearch.labels import Boxes
from mtlsearch.prediction import (
    BoxesPrediction,
    CategoriesPrediction,
    CategoryPrediction,
    draw,
    to_json,
)
from tests.data.fake import LABELS, square


@pytest.mark.parametrize("name", LABELS)
def test_every_form_can_be_drawn_and_exported(name: str) -> None:
    sample = square()
    output, prediction = label_prediction(LABELS[name], sample.labels[name])
    picture = draw(output, sample.image, prediction)
    assert picture.size[0] >= sample.image.size[0]
    assert to_json(output, prediction)


def test_scores_of_labels_are_1() -> None:
    _, kind = label_prediction(LABELS["kind"], 2)
    assert isinstance(kind, CategoryPrediction)
    assert (kind.index, kind.scores.tolist()) == (2, [0, 0, 1])
    _, tags = label_prediction(LABELS["tags"], ())
    assert isinstance(tags, CategoriesPrediction)
    assert (tags.indices, tags.scores.tolist()) == ((), [0, 0])


def test_crowd_boxes_have_other_class_names() -> None:
    boxes = Boxes(
        np.array([[0, 0, 4, 4], [1, 1, 9, 9]], np.float32),
        np.array([0, 1]),
        np.array([True, False]),
    )
    output, prediction = label_prediction(LABELS["boxes"], boxes)
    assert isinstance(prediction, BoxesPrediction)
    names = [output.classes[index] for index in prediction.classes]
    assert names == ["dog (crowd)", "cat"]
