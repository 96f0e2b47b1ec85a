"""Decoding of exported arrays to predictions for the original image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.errors import PluginError
from mtlsearch.labels import Form
from mtlsearch.prediction import TENSORS, OutputSpec, decode

SIZES = {"input_size": (64, 96), "image_size": (128, 480)}


def _boxes(boxes, scores, **options):
    output = OutputSpec(Form.BOXES, ("cat", "dog"), options=options)
    arrays = {"boxes": np.array(boxes, np.float32), "scores": np.array(scores, np.float32)}
    return decode(output, arrays, **SIZES)


def test_box_is_scaled_by_height_and_width():
    prediction = _boxes([[10, 20, 30, 40]], [[0.9, 0.0]])
    assert prediction.xyxy.tolist() == [[50, 40, 150, 80]]
    assert prediction.classes.tolist() == [0]


def test_boxes_are_sorted_by_score_and_clipped():
    prediction = _boxes([[0, 0, 20, 20], [60, 40, 200, 200]], [[0.4, 0], [0, 0.8]])
    assert prediction.scores.tolist() == pytest.approx([0.8, 0.4])
    assert prediction.xyxy[0].tolist() == [300, 80, 480, 128]


def test_box_outside_the_image_is_dropped():
    assert len(_boxes([[100, 0, 120, 20]], [[0.9, 0]]).xyxy) == 0


def test_equal_boxes_of_two_classes_are_both_kept():
    prediction = _boxes([[0, 0, 20, 20], [0, 0, 20, 21]], [[0.9, 0.7], [0.8, 0.1]])
    assert sorted(prediction.classes.tolist()) == [0, 1]


@pytest.mark.parametrize(("option", "count"), [("max_detections", 3), ("candidates", 5)])
def test_options_limit_the_number_of_boxes(option, count):
    boxes = [[10 * column, 0, 10 * column + 8, 8] for column in range(9)]
    assert len(_boxes(boxes, [[0.5, 0.0]] * 9, **{option: count}).xyxy) == count


def test_scores_below_the_threshold_are_dropped():
    assert len(_boxes([[0, 0, 20, 20]], [[0.4, 0.39]], score_threshold=0.4).xyxy) == 1


def test_nan_scores_give_no_boxes():
    assert len(_boxes([[0, 0, 20, 20]], [[np.nan, np.nan]]).xyxy) == 0


def test_category_has_the_largest_score():
    output = OutputSpec(Form.CATEGORY, ("a", "b", "c"))
    prediction = decode(output, {"scores": np.array([0.2, 0.5, 0.3], np.float32)}, **SIZES)
    assert prediction.index == 1


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8), st.floats(0, 1))
def test_categories_exceed_the_threshold_and_are_sorted(scores, threshold):
    array = np.array(scores, np.float32)
    output = OutputSpec(
        Form.CATEGORIES, tuple(map(str, array)), options={"score_threshold": threshold}
    )
    prediction = decode(output, {"scores": array}, **SIZES)
    assert set(prediction.indices) == set(np.nonzero(array >= threshold)[0].tolist())
    assert all(np.diff(array[list(prediction.indices)]) <= 0)


def test_selected_classes_do_not_empty_tasks_without_them():
    output = OutputSpec(Form.CATEGORIES, ("sunny", "rain"))
    scores = np.array([0.9, 0.7], np.float32)
    every = decode(output, {"scores": scores}, **SIZES, classes=("person",))
    assert every.indices == (0, 1)
    rain = decode(output, {"scores": scores}, **SIZES, classes=("rain",))
    assert rain.indices == (1,)
    np.testing.assert_array_equal(rain.scores, scores)


def test_boxes_of_score_0_are_no_candidates():
    output = OutputSpec(Form.BOXES, ("cat",), options={"score_threshold": 0.0})
    arrays = {
        "boxes": np.array([[0, 0, 4, 4], [1, 1, 5, 5]], np.float32),
        "scores": np.array([[0.0], [0.5]], np.float32),
    }
    with np.errstate(all="raise"):
        prediction = decode(output, arrays, **SIZES)
    assert prediction.scores.tolist() == [0.5]


@pytest.mark.parametrize("image_size", [(64, 96), (128, 480), (200, 131)])
def test_mask_is_the_argmax_of_the_resized_scores(image_size):
    scores = torch.randn(5, 64, 96, generator=torch.Generator().manual_seed(0))
    resized = torch.nn.functional.interpolate(scores[None], image_size, mode="bilinear")[0]
    output = OutputSpec(Form.MASK, tuple("abcde"))
    prediction = decode(
        output, {"scores": scores.numpy()}, input_size=(64, 96), image_size=image_size
    )
    assert prediction.indices.dtype == np.uint8
    assert prediction.indices.shape == image_size
    # Rounding can change the class where two scores are almost equal.
    assert (prediction.indices == resized.argmax(0).numpy()).mean() > 0.9995


def test_mask_with_300_classes_keeps_its_indices():
    scores = np.zeros((300, 4, 4), np.float32)
    scores[299] = 1
    output = OutputSpec(Form.MASK, tuple(map(str, range(300))))
    prediction = decode(output, {"scores": scores}, input_size=(4, 4), image_size=(8, 8))
    assert (prediction.indices == 299).all()


def test_number_is_unchanged():
    output = OutputSpec(Form.NUMBER, unit="kg")
    assert decode(output, {"value": np.float32(71.5)}, **SIZES).value == 71.5


def test_constant_map_stays_constant():
    values = np.full((2, 64, 96), 1.25, np.float32)
    prediction = decode(OutputSpec(Form.MAP, unit="m"), {"values": values}, **SIZES)
    assert prediction.values.shape == (2, 128, 480)
    assert (prediction.values == 1.25).all()


@pytest.mark.parametrize("form", list(Form))
def test_missing_array_is_reported(form):
    with pytest.raises(PluginError, match=TENSORS[form][0]):
        decode(OutputSpec(form), {}, **SIZES)


def test_every_form_has_tensors():
    assert set(TENSORS) == set(Form)
