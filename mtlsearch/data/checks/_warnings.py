"""What is odd about data in which nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mtlsearch.data.checks._report import CheckReport
from mtlsearch.labels import Form, LabelSpec


def data_warnings(
    report: CheckReport,
    labels: Mapping[str, LabelSpec],
    label_of: Mapping[str, str],
    *,
    batch_size: int,
) -> tuple[str, ...]:
    """Sentences for a person, who may have meant it so.

    Args:
        report: what reading ``train`` and ``val`` anew found.
        labels: the labels of the data.
        label_of: task to the label that it learns.
        batch_size: images of a training batch.
    """
    return (
        *_single_class(report, labels, label_of),
        *_repeated(report),
        *_batch_too_large(report.images["train"], batch_size),
    )


def _single_class(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    for task, label in label_of.items():
        spec = labels[label]
        for split in ("train", "val"):
            counts = report.counts[split][label]
            seen = [name for name, count in counts.classes.items() if count]
            if spec.form is Form.MAP or not counts.present:
                continue
            if not seen:
                yield f"no class of label {label!r}, of task {task!r}, occurs in {split!r}"
            elif split == "train" and len(seen) == 1 and spec.form in (Form.CATEGORY, Form.MASK):
                yield (
                    f"of label {label!r} only class {seen[0]!r} occurs in 'train': "
                    f"task {task!r} has nothing to tell apart"
                )


def _repeated(report: CheckReport) -> Iterator[str]:
    leaks = [one for one in report.repeats if len({split for split, _ in one}) > 1]
    if leaks:
        yield (
            f"{_pictures(len(leaks))} in 'train' and in 'val' as well, so that 'val' measures what "
            f"was learned by heart: {_first_of(leaks)}"
        )
    for split in ("train", "val"):
        twice = [
            inside
            for one in report.repeats
            if len(inside := [place for place in one if place[0] == split]) > 1
        ]
        if twice:
            yield f"{_pictures(len(twice))} several times in {split!r}: {_first_of(twice)}"


def _pictures(count: int) -> str:
    return "1 picture stands" if count == 1 else f"{count} pictures stand"


def _first_of(pictures: Sequence[Sequence[tuple[str, str]]]) -> str:
    """Where the first one is: two places, in two splits where there are two."""
    first, *others = pictures[0]
    other = next((place for place in others if place[0] != first[0]), others[0])
    such = "" if len(pictures) == 1 else "such as "
    return f"{such}{first[1]} and {other[1]}"


def _batch_too_large(images: int, batch_size: int) -> Iterator[str]:
    if batch_size > images:
        yield (
            f"train.batch_size is {batch_size}, more than the {images} training images: "
            "every epoch is a single step"
        )
