"""Label coverage: every task needs labels and classes in ``train`` and in ``val``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mtlsearch.data.checks._absent_classes import AbsentClasses, find_absent_classes
from mtlsearch.data.checks._counts import LabelCounts
from mtlsearch.data.checks._label_warnings import LARGER
from mtlsearch.data.checks._report import CheckReport
from mtlsearch.errors import DataError
from mtlsearch.labels import Form, LabelSpec

REQUIRED_SPLITS = ("train", "val")
"""Splits in which every task needs labels."""


def check_label_coverage(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> None:
    """Check that ``train`` and ``val`` have the label of each task, with at least one class.

    Training without any class, or a metric without one, has no result. So boxes count in
    ``train`` if they have at least a pixel in the size of the network's input.

    Args:
        report: result of reading the images; splits that it does not contain are not checked.
        labels: specification of every label.
        label_of: label of each task.

    Raises:
        DataError: tasks have no labels or no classes; the message lists all of them.
    """
    gaps = [
        gap
        for task, label in label_of.items()
        for split in REQUIRED_SPLITS
        if split in report.counts
        for gap in _find_gap(report, split, task, label, labels[label])
    ]
    if not gaps:
        return
    lines = [gap.what for gap in gaps]
    what = lines[0] if len(lines) == 1 else "\n  - ".join(["tasks have no labels:", *lines])
    raise DataError(
        what,
        where=", ".join(dict.fromkeys(f"tasks.{gap.task}" for gap in gaps)),
        next_step=f"{LARGER}; otherwise {gaps[0].fix}" if report.is_subset else gaps[0].fix,
    )


@dataclass(frozen=True, slots=True)
class _Gap:
    """What a split lacks for a task, and how to fix it."""

    task: str
    what: str
    fix: str = (
        "label some of these images, change the split (lists or split column of the source, "
        "`data.val_fraction` for a source without 'val'), or remove the task"
    )


def _find_gap(
    report: CheckReport, split: str, task: str, label: str, spec: LabelSpec
) -> Iterator[_Gap]:
    counts = report.counts[split][label]
    if not counts.present:
        yield _Gap(
            task,
            f"none of the {report.num_images[split]} {split!r} images has the label {label!r} of "
            f"task {task!r}",
        )
    elif spec.classes and not any(_judged(split, spec, counts).values()):
        what = f"no class of label {label!r} (task {task!r}) occurs in {split!r}"
        absent = _read_but_absent(report, label, spec) if split == "train" else ()
        if absent:
            yield _Gap(task, f"{what}: {absent[0].reason}", absent[0].fix)
        else:
            yield _Gap(task, what)


def _read_but_absent(report: CheckReport, label: str, spec: LabelSpec) -> tuple[AbsentClasses, ...]:
    """Return the classes of ``train`` that are read, and are too small, crowd or void."""
    counts = report.counts["train"][label]
    read = [
        name
        for name in spec.classes
        if counts.num_void or counts.classes[name] or counts.crowd.get(name)
    ]
    return find_absent_classes(report, label, spec, read)


def _judged(split: str, spec: LabelSpec, counts: LabelCounts) -> Mapping[str, int]:
    """Return the counts that training or the metric of validation is given."""
    # Evaluation keeps every box, so that a metric counts those below a pixel as missed.
    return counts.classes if split == "val" and spec.form is Form.BOXES else counts.visible


def check_named_classes(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> None:
    """Check that each class that the run file names occurs in ``train``.

    Args:
        report: result of reading ``train``.
        labels: specification of every label.
        label_of: label of each task.

    Raises:
        ExceptionGroup: one :class:`~mtlsearch.errors.DataError` per label and reason.
    """
    if report.is_subset:  # the other images may have the class, and a warning lists it
        return
    errors = [*_named_class_errors(report, labels, label_of)]
    if errors:
        raise ExceptionGroup("classes never occur in 'train'", errors)


def _named_class_errors(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[DataError]:
    for label in dict.fromkeys(label_of.values()):
        spec = labels[label]
        if not any(report.counts["train"][label].visible.values()):
            continue  # reported by check_label_coverage
        for absent in find_absent_classes(report, label, spec, spec.named_classes):
            yield DataError(
                f"label {label!r}: {absent}",
                where=f"the `classes` of label {label!r}",
                next_step=absent.fix,
            )
