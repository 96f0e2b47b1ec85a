"""Label coverage: every task needs labels in ``train`` and in ``val``."""

from __future__ import annotations

from collections.abc import Mapping

from mtlsearch.data.checks._report import CheckReport
from mtlsearch.errors import DataError

REQUIRED_SPLITS = ("train", "val")
"""Splits in which every task needs labels."""


def check_label_coverage(report: CheckReport, label_of: Mapping[str, str]) -> None:
    """Check that at least one ``train`` and one ``val`` image has the label of each task.

    Args:
        report: result of reading the images; splits that it does not contain are not checked.
        label_of: label of each task.

    Raises:
        DataError: tasks have no labels; the message lists all of them.
    """
    uncovered = [
        (task, label, split)
        for task, label in label_of.items()
        for split in REQUIRED_SPLITS
        if split in report.counts and not report.counts[split][label].present
    ]
    if not uncovered:
        return
    lines = [
        f"none of the {report.num_images[split]} {split!r} images has the label {label!r} of "
        f"task {task!r}"
        for task, label, split in uncovered
    ]
    what = lines[0] if len(lines) == 1 else "\n  - ".join(["tasks have no labels:", *lines])
    raise DataError(
        what,
        where=", ".join(dict.fromkeys(f"tasks.{task}" for task, _, _ in uncovered)),
        next_step="label some of these images, change the split (lists or split column of the "
        "source, `data.val_fraction` for a source without 'val'), or remove the task",
    )
