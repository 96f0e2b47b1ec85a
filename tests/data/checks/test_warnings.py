"""Warnings about suspicious data, and none about ordinary data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mtlsearch.data import DATA_WARNINGS, CheckReport, DataWarning, data_warnings
from mtlsearch.data.checks import _warnings
from mtlsearch.labels import Boxes, RawLabel, Sample
from tests.data.fake import Fake, opened, square

TASKS = {"sort": "kind", "tag": "tags", "find": "boxes", "cut": "mask", "measure": "depth"}
NONE = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_))


def warnings_of(train: list[Sample], val: list[Sample], *, workers: int = 0) -> tuple[str, ...]:
    data = opened(Fake({"train": train, "val": val}), num_workers=workers)
    return data_warnings(data.check(reread=True), data.labels, TASKS)


def squares(start: int, count: int = 4, **changes: RawLabel) -> list[Sample]:
    """Return different pictures with the same kinds of labels."""
    return [square(index, **changes) for index in range(start, start + count)]


def test_ordinary_data_has_no_warnings() -> None:
    assert warnings_of(squares(0), squares(10)) == ()


@pytest.mark.parametrize("workers", [0, 2])
def test_duplicate_in_train_and_val_is_reported(workers: int) -> None:
    again = replace(square(2), labels={"kind": 0})
    (warning,) = warnings_of(squares(0), [*squares(10), again], workers=workers)
    assert warning.startswith("1 picture occurs in 'train' and in 'val'")
    assert warning.endswith(": fake train row 2 and fake val row 4")


def test_duplicates_in_one_split_are_counted() -> None:
    (warning,) = warnings_of([*squares(0), square(1), square(1), square(3)], squares(10))
    assert warning == (
        "2 pictures occur several times in 'train': such as fake train row 1 and fake train row 4"
    )


def test_same_pixels_in_other_shape_are_not_duplicates() -> None:
    labels = {"kind": 0}
    pixels = np.random.default_rng(0).integers(0, 256, (200, 3), np.uint8)
    wide, high = (Image.fromarray(pixels.reshape(shape)) for shape in ((10, 20, 3), (20, 10, 3)))
    train, val = [*squares(0), Sample(wide, labels)], [*squares(10), Sample(high, labels)]
    assert warnings_of(train, val) == ()


def test_single_class_in_train_is_reported() -> None:
    (warning,) = warnings_of(squares(0, kind=1), squares(10))
    assert warning == (
        "label 'kind' (task 'sort') has only class 'b' in 'train', there is nothing to distinguish"
    )
    assert warnings_of(squares(0), squares(10, kind=1)) == ()


def test_label_without_any_class_is_reported() -> None:
    (boxes,) = warnings_of(squares(0), squares(10, boxes=NONE))
    assert boxes == "no class of label 'boxes' (task 'find') occurs in 'val'"
    (tags,) = warnings_of(squares(0, tags=()), squares(10))
    assert tags == "no class of label 'tags' (task 'tag') occurs in 'train'"


def test_new_warning_is_one_entry_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def few_images(report: CheckReport, *_: object) -> list[str]:
        return [f"only {report.num_images['train']} training images"]

    warning = DataWarning("few images", few_images)
    monkeypatch.setattr(_warnings, "DATA_WARNINGS", (*DATA_WARNINGS, warning))
    assert warnings_of(squares(0), squares(10)) == ("only 4 training images",)
