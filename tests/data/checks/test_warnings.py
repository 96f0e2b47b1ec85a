"""What is odd is told, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mtlsearch.data import data_warnings
from mtlsearch.labels import Boxes, RawLabel, Sample
from tests.data.fake import Fake, opened, square

TASKS = {"sort": "kind", "tag": "tags", "find": "boxes", "cut": "mask", "measure": "depth"}
NONE = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_))


def told(
    train: list[Sample], val: list[Sample], *, batch_size: int = 1, workers: int = 0
) -> tuple[str, ...]:
    data = opened(Fake({"train": train, "val": val}), workers=workers)
    return data_warnings(data.check(reread=True), data.labels, TASKS, batch_size=batch_size)


def squares(start: int, count: int = 4, **changes: RawLabel) -> list[Sample]:
    """Different pictures with the same labels."""
    return [square(at, **changes) for at in range(start, start + count)]


def test_nothing_is_odd_about_ordinary_data() -> None:
    assert told(squares(0), squares(10), batch_size=4) == ()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_picture_in_train_and_val_is_told_by_its_pixels(workers: int) -> None:
    again = replace(square(2), labels={"kind": 0})
    (said,) = told(squares(0), [*squares(10), again], workers=workers)
    assert said.startswith("1 picture stands in 'train' and in 'val' as well")
    assert said.endswith(": fake train row 2 and fake val row 4")


def test_pictures_that_stand_several_times_in_a_split_are_counted() -> None:
    (said,) = told([*squares(0), square(1), square(1), square(3)], squares(10))
    assert said == (
        "2 pictures stand several times in 'train': such as fake train row 1 and fake train row 4"
    )


def test_the_same_pixels_in_another_shape_are_another_picture() -> None:
    labels = {"kind": 0}
    wide, high = Image.new("RGB", (20, 10), "red"), Image.new("RGB", (10, 20), "red")
    train, val = [*squares(0), Sample(wide, labels)], [*squares(10), Sample(high, labels)]
    assert told(train, val) == ()


def test_a_single_class_is_told_where_there_is_something_to_tell_apart() -> None:
    (said,) = told(squares(0, kind=1), squares(10))
    assert said == (
        "of label 'kind' only class 'b' occurs in 'train': task 'sort' has nothing to tell apart"
    )
    assert told(squares(0), squares(10, kind=1)) == ()


def test_a_label_of_which_no_class_occurs_is_told() -> None:
    (boxes,) = told(squares(0), squares(10, boxes=NONE))
    assert boxes == "no class of label 'boxes', of task 'find', occurs in 'val'"
    (tags,) = told(squares(0, tags=()), squares(10))
    assert tags == "no class of label 'tags', of task 'tag', occurs in 'train'"


def test_a_batch_larger_than_train_is_told() -> None:
    (said,) = told(squares(0), squares(10), batch_size=5)
    assert said.startswith("train.batch_size is 5, more than the 4 training images")
