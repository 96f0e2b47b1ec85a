"""Counts of labels and classes in a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample

Tally = NDArray[np.int64] | tuple[float, float]
"""Counts of one label of one image: one number per class, or minimum and maximum of a map."""


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Occurrences of one label in a split.

    Attributes:
        present: number of images with the label.
        missing: number of images without it.
        classes: class name to number of images (categories), of boxes that are not crowds
            (boxes), or of pixels (masks); empty for maps.
        extent: minimum and maximum of a map; None if no image has one.
    """

    present: int
    missing: int
    classes: Mapping[str, int]
    extent: tuple[float, float] | None = None


def count_labels(sample: Sample, labels: Mapping[str, LabelSpec]) -> dict[str, Tally]:
    """Count the classes of one valid sample.

    Args:
        sample: the sample.
        labels: specification of every label.

    Returns:
        Counts by label.
    """
    return {name: _count_label(labels[name], value) for name, value in sample.labels.items()}


def _count_label(spec: LabelSpec, value: RawLabel) -> Tally:
    if spec.form is Form.MAP:
        numbers = np.asarray(value)
        return float(numbers.min()), float(numbers.max())
    if isinstance(value, Boxes):
        indices = value.classes[~value.crowd]
    else:
        indices = np.asarray(value, np.int64).ravel()
        if spec.form is Form.MASK:
            indices = indices[indices != spec.ignore_index]
    return np.bincount(indices, minlength=len(spec.classes))


def sum_tallies(
    tallies: Iterable[Mapping[str, Tally]], labels: Mapping[str, LabelSpec]
) -> dict[str, LabelCounts]:
    """Sum the counts of all images of a split.

    Args:
        tallies: counts by label, for every image.
        labels: specification of every label.

    Returns:
        Counts of the split by label.
    """
    tallies_by_label: dict[str, list[Tally]] = {name: [] for name in labels}
    num_images = 0
    for tally_by_label in tallies:
        num_images += 1
        for name, tally in tally_by_label.items():
            tallies_by_label[name].append(tally)
    return {name: _sum(spec, tallies_by_label[name], num_images) for name, spec in labels.items()}


def _sum(spec: LabelSpec, tallies: list[Tally], num_images: int) -> LabelCounts:
    present, missing = len(tallies), num_images - len(tallies)
    if spec.form is Form.MAP:
        pairs = np.array(tallies, np.float64).reshape(-1, 2)
        extent = (float(pairs[:, 0].min()), float(pairs[:, 1].max())) if present else None
        return LabelCounts(present, missing, {}, extent)
    sums = np.zeros(len(spec.classes), np.int64)
    for tally in tallies:
        sums += np.asarray(tally, np.int64)
    return LabelCounts(present, missing, dict(zip(spec.classes, sums.tolist(), strict=True)))
