"""Counts of labels and classes in a split: as they are read, and as the network is given them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mtlsearch.data._samples import PreparedLabel, PreparedSample
from mtlsearch.data.augmentation import MIN_SIDE
from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample
from mtlsearch.plugin import BoxTargets

Counts = NDArray[np.int64]
"""One number per class, int64 ``[C]``."""


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts of one label of one image.

    Attributes:
        classes: 1 for the classes of the image (categories), boxes that are not crowds (boxes),
            or pixels (masks); empty for numbers and maps.
        visible: the same in the size of the network's input: boxes of at least a pixel in width
            and height, and pixels of the resized mask.
        crowd: crowd boxes; empty for other forms.
        num_void: number of void pixels of a mask.
        num_unit_boxes: number of boxes within the first pixel of the image, as fractions of its
            width and height are.
        extent: minimum and maximum of a label without classes, a number or a map.
    """

    classes: Counts
    visible: Counts
    crowd: Counts
    num_void: int = 0
    num_unit_boxes: int = 0
    extent: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Occurrences of one label in a split.

    Attributes:
        present: number of images with the label.
        missing: number of images without it.
        classes: class name to number of images (categories), of boxes that are not crowds
            (boxes), or of pixels (masks); empty for numbers and maps.
        extent: minimum and maximum of numbers or maps; None if no image has one.
        visible: the same as ``classes`` in the size of the network's input, without a crop: boxes
            of at least a pixel in width and height, and pixels of resized masks.
        crowd: class name to number of crowd boxes; empty for other forms.
        num_void: number of void pixels of masks.
        num_unit_boxes: number of boxes within the first pixel of their image, as fractions of its
            width and height are.
        mean: mean of numbers; None for other forms and without labels.
        std: standard deviation of numbers, 0 if all are equal; None for other forms.
    """

    present: int
    missing: int
    classes: Mapping[str, int]
    extent: tuple[float, float] | None = None
    visible: Mapping[str, int] = field(default_factory=dict)
    crowd: Mapping[str, int] = field(default_factory=dict)
    num_void: int = 0
    num_unit_boxes: int = 0
    mean: float | None = None
    std: float | None = None


def count_labels(
    sample: Sample,
    prepared: PreparedSample,
    labels: Mapping[str, LabelSpec],
    input_size: tuple[int, int],
) -> dict[str, Tally]:
    """Count the classes of one valid sample.

    Args:
        sample: the sample.
        prepared: the same sample after resizing.
        labels: specification of every label.
        input_size: ``(height, width)`` of the network's input in pixels.

    Returns:
        Counts by label.
    """
    prepared_size = (prepared.image.shape[-2], prepared.image.shape[-1])
    return {
        name: _count_label(labels[name], value, prepared.labels[name], prepared_size, input_size)
        for name, value in sample.labels.items()
    }


def _count_label(
    spec: LabelSpec,
    value: RawLabel,
    prepared: PreparedLabel,
    prepared_size: tuple[int, int],
    input_size: tuple[int, int],
) -> Tally:
    nothing = np.zeros(0, np.int64)
    if not spec.classes:
        numbers = np.asarray(value)
        extent = float(numbers.min()), float(numbers.max())
        return Tally(nothing, nothing, nothing, extent=extent)
    if isinstance(value, Boxes) and isinstance(prepared, BoxTargets):
        is_visible = _is_visible(prepared, prepared_size, input_size)
        return Tally(
            _count(value.classes[~value.crowd], spec),
            _count(value.classes[~value.crowd & is_visible], spec),
            _count(value.classes[value.crowd], spec),
            num_unit_boxes=int((value.xyxy[:, 2:] <= 1).all(axis=1).sum()),
        )
    if spec.form is Form.MASK and isinstance(prepared, Tensor):
        classes, num_void = _count_pixels(np.asarray(value, np.int64), spec)
        visible, _ = _count_pixels(_at_input_size(prepared, input_size), spec)
        return Tally(classes, visible, nothing, num_void)
    classes = _count(np.asarray(value, np.int64).ravel(), spec)
    return Tally(classes, classes, nothing)


def _count(indices: NDArray[np.int64], spec: LabelSpec) -> Counts:
    return np.bincount(indices, minlength=len(spec.classes)).astype(np.int64)


def _count_pixels(mask: NDArray[np.int64], spec: LabelSpec) -> tuple[Counts, int]:
    """Return the number of pixels of each class, and of void pixels."""
    is_void = mask == spec.ignore_index
    return _count(mask[~is_void], spec), int(is_void.sum())


def _is_visible(
    boxes: BoxTargets, prepared_size: tuple[int, int], input_size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return bool ``[N]``: boxes that training keeps without a crop."""
    scale = np.array([wanted / now for wanted, now in zip(input_size, prepared_size, strict=True)])
    xyxy = boxes.xyxy.numpy()
    sides = (xyxy[:, 2:] - xyxy[:, :2]) * scale[::-1].astype(np.float32)
    return np.asarray((sides >= MIN_SIDE).all(axis=1), np.bool_)


def _at_input_size(mask: Tensor, input_size: tuple[int, int]) -> NDArray[np.int64]:
    """Return a prepared mask as evaluation resizes it, by the nearest pixel."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * (now / wanted)).astype(np.int64)
        for wanted, now in zip(input_size, mask.shape, strict=True)
    )
    return mask.numpy()[rows][:, columns].astype(np.int64)


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


def _sum(spec: LabelSpec, tallies: Sequence[Tally], num_images: int) -> LabelCounts:
    present, missing = len(tallies), num_images - len(tallies)
    if not spec.classes:
        pairs = np.array([tally.extent for tally in tallies], np.float64).reshape(-1, 2)
        extent = (float(pairs[:, 0].min()), float(pairs[:, 1].max())) if present else None
        if spec.form is not Form.NUMBER or not present:
            return LabelCounts(present, missing, {}, extent)
        mean, std = float(pairs[:, 0].mean()), float(pairs[:, 0].std())
        return LabelCounts(present, missing, {}, extent, mean=mean, std=std)
    has_crowd = spec.form is Form.BOXES
    return LabelCounts(
        present,
        missing,
        _by_name(spec, [tally.classes for tally in tallies]),
        visible=_by_name(spec, [tally.visible for tally in tallies]),
        crowd=_by_name(spec, [tally.crowd for tally in tallies]) if has_crowd else {},
        num_void=sum(tally.num_void for tally in tallies),
        num_unit_boxes=sum(tally.num_unit_boxes for tally in tallies),
    )


def _by_name(spec: LabelSpec, counts: Sequence[Counts]) -> dict[str, int]:
    sums = np.zeros(len(spec.classes), np.int64)
    for count in counts:
        sums += count
    return dict(zip(spec.classes, sums.tolist(), strict=True))
