"""Every task has something to learn from and to be measured by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtlsearch.data import CheckReport, check_label_coverage
from mtlsearch.errors import DataError
from tests.data.fake import Fake, opened, square

TASKS = {"sort": "kind", "find": "boxes", "cut": "mask"}


def without(**lacks: str) -> CheckReport:
    """The report of four images a split, in some of which labels are lacking.

    Args:
        lacks: split to the label that no image of it has.
    """
    splits = {}
    for split in ("train", "val"):
        samples = [square(at) for at in range(4)]
        splits[split] = [
            replace(one, labels={k: v for k, v in one.labels.items() if k != lacks.get(split)})
            for one in samples
        ]
    return opened(Fake(splits)).check()


def test_labels_that_no_task_learns_may_be_lacking() -> None:
    check_label_coverage(without(train="depth", val="depth"), TASKS)


def test_one_labelled_image_a_split_is_enough() -> None:
    bare = [replace(square(at), labels={}) for at in range(3)]
    report = opened(Fake({"train": [*bare, square(3)], "val": [square(4), *bare]})).check()
    check_label_coverage(report, TASKS)


@pytest.mark.parametrize("split", ["train", "val"])
def test_task_label_and_split_are_named(split: str) -> None:
    with pytest.raises(DataError) as caught:
        check_label_coverage(without(**{split: "boxes"}), TASKS)
    assert caught.value.what == (
        f"none of the 4 {split!r} images has the label 'boxes', which task 'find' learns"
    )
    assert caught.value.where == "tasks.find"
    assert "leave the task out" in str(caught.value)


def test_all_tasks_without_labels_are_named() -> None:
    with pytest.raises(DataError) as caught:
        check_label_coverage(without(train="boxes", val="mask"), TASKS)
    text = str(caught.value)
    assert "'train' images has the label 'boxes', which task 'find' learns" in text
    assert "'val' images has the label 'mask', which task 'cut' learns" in text
    assert "'kind'" not in text


def test_a_split_that_was_not_checked_is_passed_over() -> None:
    report = opened(Fake({"train": [square()], "val": [replace(square(), labels={})]})).check(
        splits=["train"]
    )
    check_label_coverage(report, TASKS)
