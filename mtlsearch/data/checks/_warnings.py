"""Data warnings: data that is valid but suspicious.

To add a warning, write a function, append one entry to :data:`DATA_WARNINGS` and add a row to the
table of warnings in ``docs/data.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mtlsearch.data.checks._flagged_images import MIN_CONTRAST, FlaggedImages, ImageCounts
from mtlsearch.data.checks._label_warnings import (
    warn_absent_classes,
    warn_cropped_boxes,
    warn_crowd,
    warn_fractions,
    warn_misspelled_classes,
    warn_small_boxes,
    warn_unmeasured_classes,
    warn_void,
)
from mtlsearch.data.checks._report import CheckReport
from mtlsearch.labels import Form, LabelSpec

Occurrence = tuple[str, str]
"""Split and file of an image."""


@dataclass(frozen=True, slots=True)
class DataWarning:
    """One kind of warning about data.

    Attributes:
        name: the subject of the warning, as in ``docs/data.md``.
        find: function from a report without problems, the specification of every label and the
            label of each task to the messages.
    """

    name: str
    find: Callable[[CheckReport, Mapping[str, LabelSpec], Mapping[str, str]], Iterable[str]]


def data_warnings(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> tuple[str, ...]:
    """List what is suspicious about the data and may still be intended.

    Args:
        report: result of reading all images of ``train`` and ``val``, without problems.
        labels: specification of every label.
        label_of: label of each task.

    Returns:
        The messages of all :data:`DATA_WARNINGS`.
    """
    return tuple(
        message for warning in DATA_WARNINGS for message in warning.find(report, labels, label_of)
    )


def _single_class(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    for task, label in label_of.items():
        visible = report.counts["train"][label].visible
        classes = [name for name, count in visible.items() if count]
        if len(classes) == 1 and labels[label].form in (Form.CATEGORY, Form.MASK):
            yield (
                f"label {label!r} (task {task!r}) has only class {classes[0]!r} in 'train', "
                "there is nothing to distinguish"
            )
        if (extent := report.counts["train"][label].extent) and extent[0] == extent[1]:
            yield (
                f"label {label!r} (task {task!r}) is {extent[0]:g} in all images of 'train', there "
                "is nothing to learn"
            )


def _duplicates(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
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


def _count(images: Sequence[Sequence[Occurrence]]) -> str:
    return "1 image occurs" if len(images) == 1 else f"{len(images)} images occur"


def _example(images: Sequence[Sequence[Occurrence]]) -> str:
    """Return two files of the first image, in two splits if it occurs in two."""
    first, *others = images[0]
    second = next((place for place in others if place[0] != first[0]), others[0])
    prefix = "" if len(images) == 1 else "such as "
    return f"{prefix}{first[1]} and {second[1]}"


def _low_contrast(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    counts = sum(report.flagged.values(), start=ImageCounts())
    for flagged, fix in (
        (counts.flat_deep, "set `data.pixel_range` to the range of their numbers"),
        (counts.flat, "if they use a part of 0..255 only, stretch it"),
    ):
        if flagged.count:
            yield (
                f"{_images_with(flagged)} hardly any contrast after reading (less than "
                f"{MIN_CONTRAST} of 255): {_name_examples(flagged)}; {fix}"
            )


def _dropped_bands(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    counts = sum(report.flagged.values(), start=ImageCounts())
    if counts.dropped.count:
        fix = "rgba" if counts.num_bands == 4 else str(counts.num_bands)
        yield (
            f"{_images_with(counts.dropped)} bands that the network does not get, such as alpha: "
            f"{_name_examples(counts.dropped)}; set `data.channels: {fix}` to use them"
        )


def _stretched(
    report: CheckReport, labels: Mapping[str, LabelSpec], label_of: Mapping[str, str]
) -> Iterator[str]:
    stretched = sum(report.flagged.values(), start=ImageCounts()).stretched
    num_images = sum(report.num_images.values())
    if stretched.count > num_images / 2:
        yield (
            f"{stretched.count} of {num_images} images have an aspect ratio that differs from that "
            f"of `data.image_size` ({report.size_text}) by a factor of about 2 or more, such as "
            f"{stretched.examples[0]} (height x width); resizing distorts their objects; set "
            "`data.image_size: [height, width]` to the aspect ratio of the images"
        )


def _images_with(flagged: FlaggedImages) -> str:
    return "1 image has" if flagged.count == 1 else f"{flagged.count} images have"


def _name_examples(flagged: FlaggedImages) -> str:
    rest = flagged.count - len(flagged.examples)
    return ", ".join(flagged.examples) + (f" and {rest} more" if rest else "")


DATA_WARNINGS: tuple[DataWarning, ...] = (
    DataWarning("single class", _single_class),
    DataWarning("absent class", warn_absent_classes),
    DataWarning("unmeasured class", warn_unmeasured_classes),
    DataWarning("fractions", warn_fractions),
    DataWarning("small boxes", warn_small_boxes),
    DataWarning("cropped boxes", warn_cropped_boxes),
    DataWarning("crowd", warn_crowd),
    DataWarning("void", warn_void),
    DataWarning("duplicate images", _duplicates),
    DataWarning("low contrast", _low_contrast),
    DataWarning("dropped bands", _dropped_bands),
    DataWarning("aspect ratio", _stretched),
    DataWarning("misspelled class", warn_misspelled_classes),
)
"""All data warnings, in the order in which they are reported."""
