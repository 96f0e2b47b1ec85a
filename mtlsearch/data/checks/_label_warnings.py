"""Warnings about labels as the network is given them: small boxes, fractions, crowd and void."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from mtlsearch.data.checks._absent_classes import (
    are_fractions,
    find_absent_classes,
    fractions_fix,
    list_names,
)
from mtlsearch.data.checks._counts import LabelCounts
from mtlsearch.data.checks._report import CheckReport
from mtlsearch.errors import nearest
from mtlsearch.labels import Form, LabelSpec

MAX_IGNORED = 0.5
"""Largest fraction of void pixels or of crowd boxes without a warning."""

LARGER = "set a larger `data.max_images`, which leaves out images"
"""How to get labels that other images may have."""

MIN_KEPT = 0.25
"""Smallest fraction of the boxes of a class that crops keep without a warning."""


def warn_absent_classes(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    """Yield the classes that the data lists and that never occur in ``train``.

    Args:
        report: result of reading all images, without problems.
        labels: specification of every label.
        label_of: label of each task.
    """
    for label in dict.fromkeys(label_of.values()):
        spec = labels[label]
        is_named = frozenset() if report.is_subset else frozenset(spec.named_classes)
        listed = [name for name in spec.classes if name not in is_named]
        if not any(report.counts["train"][label].visible.values()):
            continue  # an error
        for absent in find_absent_classes(report, label, spec, listed):
            fix = f"{LARGER}, or {absent.fix}" if report.is_subset else absent.fix
            yield f"label {label!r}: {absent}, so that it cannot be learned; {fix}"


def warn_unmeasured_classes(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    """Yield the classes that occur in ``train`` and never in ``val``.

    Args:
        report: result of reading all images, without problems.
        labels: specification of every label.
        label_of: label of each task.
    """
    if "val" not in report.counts:
        return
    for label in dict.fromkeys(label_of.values()):
        counts = report.counts["val"][label]
        # Evaluation keeps boxes below a pixel, so that a metric counts them as missed.
        measured = counts.classes if labels[label].form is Form.BOXES else counts.visible
        learned = report.counts["train"][label].visible
        missing = [name for name, number in learned.items() if number and not measured.get(name)]
        if not missing or not any(measured.values()):
            continue  # an error if there is no class at all
        noun = "class" if len(missing) == 1 else f"{len(missing)} classes"
        verb = "occurs" if len(missing) == 1 else "occur"
        fix = "change the split, or add images to 'val'"
        yield (
            f"label {label!r}: {noun} {list_names(missing)} {verb} in 'train' but never in 'val', "
            f"so that no metric measures it; {LARGER if report.is_subset else fix}"
        )


def warn_misspelled_classes(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    """Yield the classes that a single image has and whose name is similar to that of another.

    Names that differ in digits only, such as ``breed 1`` and ``breed 10``, are not similar.

    Args:
        report: result of reading all images, without problems.
        labels: specification of every label.
        label_of: label of each task.
    """
    for label in dict.fromkeys(label_of.values()):
        if labels[label].form not in (Form.CATEGORY, Form.CATEGORIES):
            continue
        totals = Counter[str]()
        for counts in report.counts.values():
            totals.update(counts[label].classes)
        for name in [name for name, count in totals.items() if count == 1]:
            others = [
                other
                for other, count in totals.items()
                if count > 1 and _without_digits(other) != _without_digits(name)
            ]
            if similar := nearest(name, others):
                yield (
                    f"label {label!r}: class {name!r} occurs in a single image and is similar to "
                    f"{similar!r} ({totals[similar]} images); if it is a typing error, correct it"
                )


def _without_digits(name: str) -> str:
    return "".join(character for character in name if not character.isdigit())


def warn_small_boxes(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    """Yield the labels with boxes that are smaller than a pixel after resizing.

    Args:
        report: result of reading all images, without problems.
        labels: specification of every label.
        label_of: label of each task.
    """
    effect = {
        "train": "training leaves them out",
        "val": "the network cannot see them, and metrics count them as missed",
    }
    for label, split, counts in _counts_of_form(Form.BOXES, report, labels, label_of):
        small = {
            name: f"{name} {number - counts.visible[name]}"
            for name, number in counts.classes.items()
            if number > counts.visible[name]
        }
        if not small or are_fractions(counts):
            continue
        total = sum(counts.classes.values())
        number = total - sum(counts.visible.values())
        yield (
            f"{number} of {total} boxes of label {label!r} in {split!r} are smaller than a "
            f"pixel at `data.image_size` {report.size_text} ({', '.join(small.values())}): "
            f"{effect.get(split, effect['val'])}; set a larger `data.image_size`"
        )


def warn_fractions(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    """Yield the labels whose boxes look like fractions of width and height.

    Args:
        report: result of reading all images, without problems.
        labels: specification of every label.
        label_of: label of each task.
    """
    for label, split, counts in _counts_of_form(Form.BOXES, report, labels, label_of):
        if are_fractions(counts):
            yield (
                f"{counts.num_unit_boxes} boxes of label {label!r} in {split!r} look like "
                f"fractions of width and height: they lie within the first pixel of their "
                f"image; {fractions_fix(report.settings.get(label, ()))}"
            )


def warn_crowd(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    """Yield the labels of which most boxes are crowd.

    Args:
        report: result of reading all images, without problems.
        labels: specification of every label.
        label_of: label of each task.
    """
    for label, split, counts in _counts_of_form(Form.BOXES, report, labels, label_of):
        crowd = sum(counts.crowd.values())
        total = crowd + sum(counts.classes.values())
        if crowd > MAX_IGNORED * total:
            yield (
                f"{crowd} of {total} boxes of label {label!r} in {split!r} are crowd "
                "(difficult), which is neither learned nor measured"
            )


def warn_void(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    """Yield the labels whose masks are mostly void.

    Args:
        report: result of reading all images, without problems.
        labels: specification of every label.
        label_of: label of each task.
    """
    for label, split, counts in _counts_of_form(Form.MASK, report, labels, label_of):
        void = counts.num_void
        total = void + sum(counts.classes.values())
        if void > MAX_IGNORED * total:
            yield (
                f"{void / total:.0%} of the mask pixels of label {label!r} in {split!r} are "
                f"void ({labels[label].ignore_index}), which is neither learned nor measured"
            )


def warn_cropped_boxes(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    """Yield the labels with classes of which random crops remove most boxes.

    Args:
        report: result of reading all images, without problems.
        labels: specification of every label.
        label_of: label of each task.
    """
    for label in _labels_of_form(Form.BOXES, labels, label_of):
        kept = report.kept_by_crops.get(label, {})
        rare = {name: share for name, share in kept.items() if share < MIN_KEPT}
        if rare:
            yield (
                f"random crops keep {sum(rare.values()) / len(rare):.0%} of the training boxes of "
                f"{list_names(rare)} (label {label!r}); set a larger `data.augment.crop`"
            )


def _labels_of_form(
    form: Form, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> list[str]:
    """Return the labels of a form that tasks learn."""
    return [label for label in dict.fromkeys(label_of.values()) if labels[label].form is form]


def _counts_of_form(
    form: Form,
    report: CheckReport,
    labels: Mapping[str, LabelSpec],
    label_of: Mapping[str, str],
) -> Iterator[tuple[str, str, LabelCounts]]:
    """Yield label, split and counts of the labels of a form that tasks learn."""
    for label in _labels_of_form(form, labels, label_of):
        for split, counts_by_label in report.counts.items():
            yield label, split, counts_by_label[label]
