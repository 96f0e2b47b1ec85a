"""Decoding: from a task's arrays to the original image."""

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


def test_a_box_is_scaled_by_each_side_of_the_image():
    found = _boxes([[10, 20, 30, 40]], [[0.9, 0.0]])
    assert found.xyxy.tolist() == [[50, 40, 150, 80]]
    assert found.classes.tolist() == [0]


def test_boxes_come_best_first_and_end_at_the_image():
    found = _boxes([[0, 0, 20, 20], [60, 40, 200, 200]], [[0.4, 0], [0, 0.8]])
    assert found.scores.tolist() == pytest.approx([0.8, 0.4])
    assert found.xyxy[0].tolist() == [300, 80, 480, 128]


def test_a_box_outside_the_image_is_no_prediction():
    assert len(_boxes([[100, 0, 120, 20]], [[0.9, 0]]).xyxy) == 0


def test_one_place_may_hold_two_classes_but_not_one_twice():
    found = _boxes([[0, 0, 20, 20], [0, 0, 20, 21]], [[0.9, 0.7], [0.8, 0.1]])
    assert sorted(found.classes.tolist()) == [0, 1]


@pytest.mark.parametrize(("option", "count"), [("max_detections", 3), ("candidates", 5)])
def test_options_limit_how_many_are_found(option, count):
    boxes = [[10 * at, 0, 10 * at + 8, 8] for at in range(9)]
    assert len(_boxes(boxes, [[0.5, 0.0]] * 9, **{option: count}).xyxy) == count


def test_scores_below_the_threshold_are_nothing():
    assert len(_boxes([[0, 0, 20, 20]], [[0.4, 0.39]], score_threshold=0.4).xyxy) == 1


def test_scores_that_are_no_numbers_find_nothing():
    assert len(_boxes([[0, 0, 20, 20]], [[np.nan, np.nan]]).xyxy) == 0


def test_a_category_is_the_likeliest():
    output = OutputSpec(Form.CATEGORY, ("a", "b", "c"))
    found = decode(output, {"scores": np.array([0.2, 0.5, 0.3], np.float32)}, **SIZES)
    assert found.index == 1


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8), st.floats(0, 1))
def test_categories_are_those_over_the_threshold_best_first(scores, threshold):
    array = np.array(scores, np.float32)
    output = OutputSpec(
        Form.CATEGORIES, tuple(map(str, array)), options={"score_threshold": threshold}
    )
    found = decode(output, {"scores": array}, **SIZES)
    assert set(found.indices) == set(np.nonzero(array >= threshold)[0].tolist())
    assert all(np.diff(array[list(found.indices)]) <= 0)


@pytest.mark.parametrize("image_size", [(64, 96), (128, 480), (200, 131)])
def test_a_mask_is_the_largest_of_the_resized_scores(image_size):
    scores = torch.randn(5, 64, 96, generator=torch.Generator().manual_seed(0))
    resized = torch.nn.functional.interpolate(scores[None], image_size, mode="bilinear")[0]
    output = OutputSpec(Form.MASK, tuple("abcde"))
    found = decode(output, {"scores": scores.numpy()}, input_size=(64, 96), image_size=image_size)
    assert found.indices.dtype == np.uint8
    assert found.indices.shape == image_size
    # Ties and rounding apart, where two scores are all but equal.
    assert (found.indices == resized.argmax(0).numpy()).mean() > 0.9995


def test_more_than_255_classes_fit_a_mask():
    scores = np.zeros((300, 4, 4), np.float32)
    scores[299] = 1
    output = OutputSpec(Form.MASK, tuple(map(str, range(300))))
    found = decode(output, {"scores": scores}, input_size=(4, 4), image_size=(8, 8))
    assert (found.indices == 299).all()


def test_a_constant_map_stays_constant():
    values = np.full((2, 64, 96), 1.25, np.float32)
    found = decode(OutputSpec(Form.MAP, unit="m"), {"values": values}, **SIZES)
    assert found.values.shape == (2, 128, 480)
    assert (found.values == 1.25).all()


@pytest.mark.parametrize("form", list(Form))
def test_a_missing_array_is_named(form):
    with pytest.raises(PluginError, match=TENSORS[form][0]):
        decode(OutputSpec(form), {}, **SIZES)


def test_every_form_is_decoded_from_some_tensors():
    assert set(TENSORS) == set(Form)
