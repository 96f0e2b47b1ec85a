"""How often labels and classes occur."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample

Tally = NDArray[np.int64] | tuple[float, float]
"""Of one label of one image: a count a class, or a map's smallest and largest number."""


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """How often one label occurs in a split.

    Attributes:
        present: images that carry the label.
        missing: images that do not.
        classes: class name to images (categories), objects that are no crowd (boxes) or
            pixels (masks); empty for maps.
        extent: smallest and largest number of a map, where there is any.
    """

    present: int
    missing: int
    classes: Mapping[str, int]
    extent: tuple[float, float] | None = None


def tally(sample: Sample, labels: Mapping[str, LabelSpec]) -> dict[str, Tally]:
    """Counts of one valid sample, by label."""
    return {name: _tally_one(labels[name], value) for name, value in sample.labels.items()}


def _tally_one(spec: LabelSpec, value: RawLabel) -> Tally:
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


def add_up(
    tallies: Iterable[Mapping[str, Tally]], labels: Mapping[str, LabelSpec]
) -> dict[str, LabelCounts]:
    """The counts of a split from those of its images."""
    gathered: dict[str, list[Tally]] = {name: [] for name in labels}
    total = 0
    for one in tallies:
        total += 1
        for name, counts in one.items():
            gathered[name].append(counts)
    return {name: _sum(spec, gathered[name], total) for name, spec in labels.items()}


def _sum(spec: LabelSpec, tallies: list[Tally], total: int) -> LabelCounts:
    present, missing = len(tallies), total - len(tallies)
    if spec.form is Form.MAP:
        pairs = np.array(tallies, np.float64).reshape(-1, 2)
        extent = (float(pairs[:, 0].min()), float(pairs[:, 1].max())) if present else None
        return LabelCounts(present, missing, {}, extent)
    sums = np.zeros(len(spec.classes), np.int64)
    for counts in tallies:
        sums += np.asarray(counts, np.int64)
    return LabelCounts(present, missing, dict(zip(spec.classes, sums.tolist(), strict=True)))
