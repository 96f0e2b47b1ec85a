"""What is wrong with a label is said, whichever source it comes from."""

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


def test_a_sound_sample_has_no_problems() -> None:
    assert problems_of(square(), LABELS) == ()
    assert problems_of(Sample(square().image), LABELS) == ()
    assert problems_of(square(boxes=Boxes.empty(), tags=()), LABELS) == ()


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("kind", 3, "class 3 is unknown, there are 0 to 2"),
        ("kind", -1, "class -1 is unknown"),
        ("kind", "a", "a class index is wanted, not 'a' (str)"),
        ("kind", True, "a class index is wanted"),
        ("tags", (0, 2), "class 2 is unknown"),
        ("tags", (0, 0), "occurs twice"),
        ("tags", [0], "a tuple of class indices is wanted"),
        ("boxes", boxes([0, 0, 80, 60], [70, 50, 90, 60]), "box 2 (70, 50, 90, 60) lies outside"),
        ("boxes", boxes([-5, 0, 9, 9]), "outside the image of 80 x 60 pixels"),
        ("boxes", boxes([80, 0, 80.9, 9]), "outside"),
        ("boxes", boxes([5, 5, 5, 9]), "no area"),
        ("boxes", boxes([9, 5, 5, 9]), "no area"),
        ("boxes", boxes([float("nan"), 5, 5, 9]), "not finite"),
        ("boxes", boxes([1, 1, 5, 9], classes=[2]), "class 2 is unknown"),
        ("boxes", Boxes(np.zeros((2, 4)), np.zeros(1), np.zeros(1)), "do not belong together"),
        ("boxes", 3, "Boxes are wanted"),
        ("mask", np.zeros((80, 60), np.uint8), "the mask is 60 x 80 pixels, its image 80 x 60"),
        ("mask", np.full((60, 80), 2, np.uint8), "class 2 is unknown"),
        ("mask", np.zeros((60, 80), np.float32), "a mask of integers is wanted"),
        ("mask", np.full((60, 80), -1, np.int64), "class -1 is unknown"),
        ("depth", np.full((1, 60, 80), np.inf, np.float32), "4800 numbers of the map"),
        ("depth", np.zeros((2, 60, 80), np.float32), "1 channel(s) is wanted"),
        ("depth", np.zeros((1, 80, 60), np.float32), "the map is 60 x 80 pixels"),
        ("depth", np.zeros((1, 60, 80), np.uint8), "a map of floats is wanted"),
        ("smell", 1, "not among those that its source names"),
    ],
)
def test_each_problem_is_said(label: str, value: Any, said: str) -> None:
    (problem,) = problems_of(square(**{label: value}), LABELS)
    assert said in problem
    assert repr(label) in problem


def test_void_is_no_unknown_class() -> None:
    assert problems_of(square(mask=np.full((60, 80), 255, np.uint8)), LABELS) == ()


def test_a_box_may_leave_by_a_pixel_of_rounding() -> None:
    assert problems_of(square(boxes=boxes([-1, -1, 81, 61])), LABELS) == ()


def test_an_image_must_be_rgb_and_all_problems_are_told() -> None:
    sample = square(kind=7)
    grey = Sample(Image.new("L", sample.image.size), sample.labels)
    assert len(problems_of(grey, LABELS)) == 2
