"""Data warnings: data that is valid but suspicious."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mtlsearch.data.checks._report import CheckReport
from mtlsearch.labels import Form, LabelSpec

Occurrence = tuple[str, str]
"""Split and file of a picture."""


def data_warnings(
    report: CheckReport,
    labels: Mapping[str, LabelSpec],
    label_of: Mapping[str, str],
    *,
    batch_size: int,
) -> tuple[str, ...]:
    """List what is suspicious about the data and may still be intended.

    These are labels without a class or with a single class, duplicate pictures, and a batch
    that is larger than the training set.

    Args:
        report: result of reading all images of ``train`` and ``val``.
        labels: specification of every label.
        label_of: label of each task.
        batch_size: number of images per training batch.

    Returns:
        One message per warning.
    """
    return (
        *_single_class(report, labels, label_of),
        *_duplicates(report),
        *_batch_too_large(report.num_images["train"], batch_size),
    )


def _single_class(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    for task, label in label_of.items():
        spec = labels[label]
        for split in ("train", "val"):
            counts = report.counts[split][label]
            classes = [name for name, count in counts.classes.items() if count]
            if spec.form is Form.MAP or not counts.present:
                continue
            if not classes:
                yield f"no class of label {label!r} (task {task!r}) occurs in {split!r}"
            elif split == "train" and len(classes) == 1 and spec.form in (Form.CATEGORY, Form.MASK):
                yield (
                    f"label {label!r} (task {task!r}) has only class {classes[0]!r} in 'train', "
                    "there is nothing to distinguish"
                )


def _duplicates(report: CheckReport) -> Iterator[str]:
    in_both_splits = [
        occurrences
        for occurrences in report.duplicates
        if len({split for split, _ in occurrences}) > 1
    ]
    if in_both_splits:
        yield (
            f"{_count(in_both_splits)} in 'train' and in 'val', so that 'val' cannot measure "
            f"generalization: {_example(in_both_splits)}"
        )
    for split in ("train", "val"):
        repeated = [
            inside
            for occurrences in report.duplicates
            if len(inside := [place for place in occurrences if place[0] == split]) > 1
        ]
        if repeated:
            yield f"{_count(repeated)} several times in {split!r}: {_example(repeated)}"


def _count(pictures: Sequence[Sequence[Occurrence]]) -> str:
    return "1 picture occurs" if len(pictures) == 1 else f"{len(pictures)} pictures occur"


def _example(pictures: Sequence[Sequence[Occurrence]]) -> str:
    """Return two files of the first picture, in two splits if it occurs in two."""
    first, *others = pictures[0]
    second = next((place for place in others if place[0] != first[0]), others[0])
    prefix = "" if len(pictures) == 1 else "such as "
    return f"{prefix}{first[1]} and {second[1]}"


def _batch_too_large(num_images: int, batch_size: int) -> Iterator[str]:
    if batch_size > num_images:
        yield (
            f"`train.batch_size` is {batch_size}, more than the {num_images} training images: "
            "every epoch has a single step"
        )
