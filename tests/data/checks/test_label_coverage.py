"""Label coverage of tasks in train and val."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtlsearch.data import CheckReport, check_label_coverage, check_named_classes
from mtlsearch.errors import DataError
from mtlsearch.labels import Boxes, LabelSpec, RawLabel
from tests.data.fake import LABELS, Fake, opened, square

TASKS = {"sort": "kind", "find": "boxes", "cut": "mask"}


def report_without(**missing: str) -> CheckReport:
    """Return the report of four images per split without some labels.

    Args:
        missing: split to the label that none of its images has.
    """
    splits = {}
    for split in ("train", "val"):
        samples = [square(index) for index in range(4)]
        splits[split] = [
            replace(
                sample,
                labels={
                    name: value
                    for name, value in sample.labels.items()
                    if name != missing.get(split)
                },
            )
            for sample in samples
        ]
    return opened(Fake(splits)).check()


def test_label_without_task_may_be_missing() -> None:
    check_label_coverage(report_without(train="depth", val="depth"), LABELS, TASKS)


def test_one_labeled_image_per_split_is_enough() -> None:
    unlabeled = [replace(square(index), labels={}) for index in range(3)]
    report = opened(
        Fake({"train": [*unlabeled, square(3)], "val": [square(4), *unlabeled]})
    ).check()
    check_label_coverage(report, LABELS, TASKS)


@pytest.mark.parametrize("split", ["train", "val"])
def test_error_names_task_label_and_split(split: str) -> None:
    with pytest.raises(DataError) as caught:
        check_label_coverage(report_without(**{split: "boxes"}), LABELS, TASKS)
    assert caught.value.what == (
        f"none of the 4 {split!r} images has the label 'boxes' of task 'find'"
    )
    assert caught.value.where == "tasks.find"
    assert "remove the task" in str(caught.value)


def test_error_lists_all_tasks_without_labels() -> None:
    with pytest.raises(DataError) as caught:
        check_label_coverage(report_without(train="boxes", val="mask"), LABELS, TASKS)
    text = str(caught.value)
    assert "'train' images has the label 'boxes' of task 'find'" in text
    assert "'val' images has the label 'mask' of task 'cut'" in text
    assert "'kind'" not in text


def test_split_without_report_is_not_checked() -> None:
    report = opened(Fake({"train": [square()], "val": [replace(square(), labels={})]})).check(
        splits=["train"]
    )
    check_label_coverage(report, LABELS, TASKS)


def boxes(*xyxy: list[float], label: int = 1, crowd: bool = False) -> Boxes:
    count = len(xyxy)
    return Boxes(np.array(xyxy, np.float32), np.full(count, label), np.full(count, crowd, np.bool_))


def report_of(
    labels: dict[str, LabelSpec],
    *,
    max_images: int | None = None,
    crop: tuple[float, float] | None = (0.6, 1.0),
    **changes: RawLabel,
) -> CheckReport:
    """Return the report of four squares per split whose labels are changed in both."""
    splits = {
        split: [square(start + index, **changes) for index in range(4)]
        for split, start in (("train", 0), ("val", 10))
    }
    return opened(Fake(splits, labels), max_images=max_images, augment={"crop": crop}).check()


TINY = boxes([4, 4, 4.9, 4.9])  # of 80 x 60 pixels, resized to 64 x 48
VOID = np.full((60, 80), 255, np.uint8)


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        ({"tags": ()}, {"'train'": "'tags' (task 'tag') occurs in", "'val'": "'tags'"}),
        (
            {"boxes": TINY},
            {"'train'": "its boxes are smaller than a pixel at `data.image_size` 48 x 64"},
        ),
        (
            {"boxes": boxes([0.1, 0.2, 0.5, 0.6])},
            {"'train'": "its boxes look like fractions of width and height"},
        ),
        (
            {"boxes": boxes([4, 4, 30, 30], crowd=True)},
            {"'train'": "all of its boxes are crowd", "'val'": "'boxes'"},
        ),
        ({"mask": VOID}, {"'train'": "255 is `ignore_index` (void)", "'val'": "'mask'"}),
    ],
)
def test_task_without_any_class_is_an_error(
    change: dict[str, RawLabel], messages: dict[str, str]
) -> None:
    """Boxes below a pixel count in val, where the metric counts them as missed."""
    tasks = {**TASKS, "tag": "tags"}
    with pytest.raises(DataError, match="no class of label") as caught:
        check_label_coverage(report_of(LABELS, **change), LABELS, tasks)
    lines = caught.value.what.splitlines()
    for split in ("'train'", "'val'"):
        lines_of_split = [line for line in lines if f"occurs in {split}" in line]
        assert len(lines_of_split) == (split in messages)
        assert all(messages[split] in line for line in lines_of_split)


def named(label: str, *classes: str) -> dict[str, LabelSpec]:
    return {**LABELS, label: replace(LABELS[label], named_classes=classes)}


def errors_of(labels: dict[str, LabelSpec], report: CheckReport) -> list[DataError]:
    try:
        check_named_classes(report, labels, TASKS)
    except ExceptionGroup as group:
        return [error for error in group.exceptions if isinstance(error, DataError)]
    return []


def test_named_class_that_never_occurs_is_an_error() -> None:
    labels = named("boxes", "dog", "cat")
    (error,) = errors_of(labels, report_of(labels))
    assert error.what == "label 'boxes': class 'dog' never occurs in 'train': no image has it"
    assert errors_of(LABELS, report_of(LABELS)) == []
    assert errors_of(named("boxes", "cat"), report_of(labels)) == []


def test_named_class_that_is_read_as_void_has_a_fix() -> None:
    labels, mask = named("mask", "background", "thing"), np.zeros((60, 80), np.uint8)
    mask[12:42, 20:60] = 255
    report = replace(report_of(labels, mask=mask), settings={"mask": frozenset({"values"})})
    (error,) = errors_of(labels, report)
    assert error.what == (
        "label 'mask': class 'thing' never occurs in 'train': the masks contain 0 and 255, and 255 "
        "is `ignore_index` (void)"
    )
    assert error.next_step is not None
    assert "`values: {255: thing}`" in error.next_step
    (other,) = errors_of(labels, replace(report, settings={}))
    assert other.what == error.what
    assert "values" not in str(other.next_step)


def test_named_class_that_vanishes_when_resized_is_an_error() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[2] = 1  # not sampled: of five rows, four are
    labels = named("mask", "thing")
    (error,) = errors_of(labels, report_of(labels, crop=None, mask=mask))
    assert "its pixels vanish when masks are resized to 48 x 64 pixels" in error.what


def test_named_class_in_val_only_is_an_error() -> None:
    labels = named("kind", "a", "b", "c")
    splits = {"train": [square(0), square(1)], "val": [square(2)]}
    (error,) = errors_of(labels, opened(Fake(splits, labels)).check())
    assert "class 'c' never occurs in 'train': only 'val' has it" in error.what


def test_named_class_outside_max_images_is_no_error() -> None:
    labels = named("boxes", "dog", "cat")
    report = report_of(labels, max_images=2)
    assert report.is_subset
    assert errors_of(labels, report) == []
    assert not report_of(labels, max_images=9).is_subset


def test_missing_labels_of_a_part_of_the_images_name_the_key() -> None:
    report = report_of(LABELS, max_images=2, tags=())
    with pytest.raises(DataError) as caught:
        check_label_coverage(report, LABELS, {"tag": "tags"})
    assert str(caught.value.next_step).startswith("set a larger `data.max_images`")
    with pytest.raises(DataError) as caught:
        check_label_coverage(report_of(LABELS, tags=()), LABELS, {"tag": "tags"})
    assert "max_images" not in str(caught.value.next_step)


def test_absent_classes_of_one_reason_are_one_error() -> None:
    classes = ("cat", "a", "b", "c", "d")
    labels = {**LABELS, "boxes": replace(LABELS["boxes"], classes=classes, named_classes=classes)}
    report = report_of(labels, boxes=boxes([4, 4, 30, 30], label=0))
    (error,) = errors_of(labels, report)
    assert "4 classes 'a', 'b', 'c' and 1 more never occur in 'train'" in error.what
