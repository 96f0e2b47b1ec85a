"""Whether there is anything to learn from and to measure by."""

from __future__ import annotations

from collections.abc import Mapping

from mtlsearch.data.checks._report import CheckReport
from mtlsearch.errors import DataError

NEEDED = ("train", "val")
"""The splits that need labels: one to learn from, one to measure by."""


def check_label_coverage(report: CheckReport, label_of: Mapping[str, str]) -> None:
    """Be sure that every task has a label in some training and in some validation image.

    Args:
        report: what was found; a split that it does not tell of is passed over.
        label_of: task to the label that it learns.

    Raises:
        DataError: a task has none; every one is named with its label and split.
    """
    lacking = [
        (task, label, split)
        for task, label in label_of.items()
        for split in NEEDED
        if split in report.counts and not report.counts[split][label].present
    ]
    if not lacking:
        return
    said = [
        f"none of the {report.images[split]} {split!r} images has the label {label!r}, "
        f"which task {task!r} learns"
        for task, label, split in lacking
    ]
    what = said[0] if len(said) == 1 else "\n  - ".join(["tasks without labels", *said])
    raise DataError(
        what,
        where=", ".join(dict.fromkeys(f"tasks.{task}" for task, _, _ in lacking)),
        next_step="label some of them, split the images otherwise (by the source's lists or split "
        "column; data.val_fraction holds some out where it has no 'val'), or leave the task out",
    )
