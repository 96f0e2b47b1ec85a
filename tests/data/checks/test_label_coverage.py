"""Label coverage of tasks in train and val."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtlsearch.data import CheckReport, check_label_coverage
from mtlsearch.errors import DataError
from tests.data.fake import Fake, opened, square

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
    check_label_coverage(report_without(train="depth", val="depth"), TASKS)


def test_one_labeled_image_per_split_is_enough() -> None:
    unlabeled = [replace(square(index), labels={}) for index in range(3)]
    report = opened(
        Fake({"train": [*unlabeled, square(3)], "val": [square(4), *unlabeled]})
    ).check()
    check_label_coverage(report, TASKS)


@pytest.mark.parametrize("split", ["train", "val"])
def test_error_names_task_label_and_split(split: str) -> None:
    with pytest.raises(DataError) as caught:
        check_label_coverage(report_without(**{split: "boxes"}), TASKS)
    assert caught.value.what == (
        f"none of the 4 {split!r} images has the label 'boxes' of task 'find'"
    )
    assert caught.value.where == "tasks.find"
    assert "remove the task" in str(caught.value)


def test_error_lists_all_tasks_without_labels() -> None:
    with pytest.raises(DataError) as caught:
        check_label_coverage(report_without(train="boxes", val="mask"), TASKS)
    text = str(caught.value)
    assert "'train' images has the label 'boxes' of task 'find'" in text
    assert "'val' images has the label 'mask' of task 'cut'" in text
    assert "'kind'" not in text


def test_split_without_report_is_not_checked() -> None:
    report = opened(Fake({"train": [square()], "val": [replace(square(), labels={})]})).check(
        splits=["train"]
    )
    check_label_coverage(report, TASKS)
