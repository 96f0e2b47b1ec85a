"""Validation of samples against their label specifications."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from mtlsearch.data import problems_of
from mtlsearch.labels import Boxes, Sample
from tests.data.fake import LABELS, square


def boxes(*xyxy: list[float], classes: list[int] | None = None) -> Boxes:
    count = len(xyxy)
    return Boxes(
        np.array(xyxy, np.float32).reshape(-1, 4),
        np.array(classes or [0] * count, np.int64),
        np.zeros(count, np.bool_),
    )


def test_valid_sample_has_no_problems() -> None:
    assert problems_of(square(), LABELS) == ()
    assert problems_of(Sample(square().image), LABELS) == ()
    assert problems_of(square(boxes=Boxes.empty(), tags=()), LABELS) == ()


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        ("kind", 3, "class 3 does not exist, the classes are 0 to 2"),
        ("kind", -1, "class -1 does not exist"),
        ("kind", "a", "expected a class index, got 'a' (str)"),
        ("kind", True, "expected a class index"),
        ("tags", (0, 2), "class 2 does not exist"),
        ("tags", (0, 0), "occurs twice"),
        ("tags", [0], "expected a tuple of class indices"),
        ("boxes", boxes([0, 0, 80, 60], [70, 50, 90, 60]), "box 2 (70, 50, 90, 60) is outside"),
        ("boxes", boxes([-5, 0, 9, 9]), "outside the image of 80 x 60 pixels"),
        ("boxes", boxes([80, 0, 80.9, 9]), "outside"),
        ("boxes", boxes([5, 5, 5, 9]), "no area"),
        ("boxes", boxes([9, 5, 5, 9]), "no area"),
        ("boxes", boxes([float("nan"), 5, 5, 9]), "not finite"),
        ("boxes", boxes([1, 1, 5, 9], classes=[2]), "class 2 does not exist"),
        ("boxes", Boxes(np.zeros((2, 4)), np.zeros(1), np.zeros(1)), "do not match"),
        ("boxes", 3, "expected Boxes, got 3 (int)"),
        ("mask", np.zeros((80, 60), np.uint8), "the mask is 60 x 80 pixels, its image 80 x 60"),
        ("mask", np.full((60, 80), 2, np.uint8), "class 2 does not exist"),
        ("mask", np.zeros((60, 80), np.float32), "expected a mask of integers"),
        ("mask", np.full((60, 80), -1, np.int64), "class -1 does not exist"),
        ("depth", np.full((1, 60, 80), np.inf, np.float32), "4800 numbers of the map"),
        ("depth", np.zeros((2, 60, 80), np.float32), "expected a map [K, H, W] of 1 channel(s)"),
        ("depth", np.zeros((1, 80, 60), np.float32), "the map is 60 x 80 pixels"),
        ("depth", np.zeros((1, 60, 80), np.uint8), "expected a map of floats"),
        ("smell", 1, "is not a label of its source"),
    ],
)
def test_invalid_label_has_problem(label: str, value: Any, expected: str) -> None:
    (problem,) = problems_of(square(**{label: value}), LABELS)
    assert expected in problem
    assert repr(label) in problem


def test_void_pixels_are_valid() -> None:
    assert problems_of(square(mask=np.full((60, 80), 255, np.uint8)), LABELS) == ()


def test_box_outside_by_one_pixel_is_valid() -> None:
    assert problems_of(square(boxes=boxes([-1, -1, 81, 61])), LABELS) == ()


def test_image_of_any_mode_is_valid() -> None:
    sample = square(kind=2)
    for mode in ("L", "RGBA", "I;16"):
        assert problems_of(Sample(Image.new(mode, sample.image.size), sample.labels), LABELS) == ()
