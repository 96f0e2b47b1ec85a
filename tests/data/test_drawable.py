"""True labels as predictions."""

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
def test_every_form_can_be_drawn_and_written(name: str) -> None:
    sample = square()
    output, prediction = label_prediction(LABELS[name], sample.labels[name])
    picture = draw(output, sample.image, prediction)
    assert picture.size[0] >= sample.image.size[0]
    assert to_json(output, prediction)


def test_classes_are_sure() -> None:
    _, one = label_prediction(LABELS["kind"], 2)
    assert isinstance(one, CategoryPrediction)
    assert (one.index, one.scores.tolist()) == (2, [0, 0, 1])
    _, none = label_prediction(LABELS["tags"], ())
    assert isinstance(none, CategoriesPrediction)
    assert (none.indices, none.scores.tolist()) == ((), [0, 0])


def test_crowds_are_told_apart_by_name() -> None:
    boxes = Boxes(
        np.array([[0, 0, 4, 4], [1, 1, 9, 9]], np.float32),
        np.array([0, 1]),
        np.array([True, False]),
    )
    output, prediction = label_prediction(LABELS["boxes"], boxes)
    assert isinstance(prediction, BoxesPrediction)
    names = [output.classes[at] for at in prediction.classes]
    assert names == ["dog (crowd)", "cat"]
