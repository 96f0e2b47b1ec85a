"""Validation of one sample against the specifications of its labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample

TOLERANCE = 1.0
"""Pixels by which a box may exceed its image: rounding, and coordinates from 0 or from 1."""

MAX_NUMBER = float(np.finfo(np.float32).max)
"""Largest magnitude of a number."""


def problems_of(sample: Sample, labels: Mapping[str, LabelSpec]) -> tuple[str, ...]:
    """Return all problems of a sample.

    Args:
        sample: the sample as a source returns it.
        labels: specification of every label of the source.

    Returns:
        One line per problem; empty if the sample is valid.
    """
    return tuple(what for what, _ in find_problems(sample, labels))


def find_problems(sample: Sample, labels: Mapping[str, LabelSpec]) -> tuple[tuple[str, str], ...]:
    """Return all problems of a sample, and how to fix them.

    Args:
        sample: the sample as a source returns it.
        labels: specification of every label of the source.

    Returns:
        Problem and fix, one line each; the fix is empty if the problem contains it. Empty if the
        sample is valid.
    """
    problems: list[tuple[str, str]] = []
    width, height = sample.image.size
    for name, value in sample.labels.items():
        if name not in labels:
            problems.append((f"label {name!r} is not a label of its source", ""))
            continue
        form = labels[name].form
        problem = _CHECKS[form](labels[name], value, (height, width))
        if problem:
            problems.append((f"label {name!r}: {problem}", _FIXES.get(form, "")))
    return tuple(problems)


def _check_category(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not _is_int(value):
        return f"expected a class index, got {_describe(value)}"
    return _check_classes(spec, [value])


def _check_categories(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not isinstance(value, tuple) or not all(_is_int(item) for item in value):
        return f"expected a tuple of class indices, got {_describe(value)}"
    if len(set(value)) != len(value):
        return f"a class occurs twice in {value}"
    return _check_classes(spec, value)


def _check_boxes(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not isinstance(value, Boxes):
        return f"expected Boxes, got {_describe(value)}"
    count = len(value.classes)
    if value.xyxy.shape != (count, 4) or value.crowd.shape != (count,):
        return (
            f"the shapes of xyxy {value.xyxy.shape}, classes {value.classes.shape} and crowd "
            f"{value.crowd.shape} do not match"
        )
    return _check_coordinates(value, size) or _check_classes(spec, value.classes)


def _check_coordinates(boxes: Boxes, size: tuple[int, int]) -> str:
    height, width = size
    for number, box in enumerate(boxes.xyxy.tolist(), start=1):
        left, top, right, bottom = box
        name = f"box {number} ({', '.join(f'{side:g}' for side in box)})"
        if not np.isfinite(box).all():
            return f"{name} is not finite"
        if right <= left or bottom <= top:
            return f"{name} has no area (left, top, right, bottom)"
        is_outside = min(left, top, width - right, height - bottom) < -TOLERANCE
        # A box within the tolerance whose clipped area is zero is outside as well.
        if is_outside or min(right, width) <= max(left, 0) or min(bottom, height) <= max(top, 0):
            return f"{name} is outside the image of {width} x {height} pixels"
    return ""


def _check_mask(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        return f"expected a mask of integers, got {_describe(value)}"
    if value.shape != size:
        return _size_problem("mask", value.shape, size)
    return _check_classes(spec, [item for item in _values_in(value) if item != spec.ignore_index])


def _values_in(mask: NDArray[np.integer]) -> list[int]:
    # Counting is many times faster than sorting in np.unique.
    is_uint8 = mask.dtype == np.uint8
    values = np.flatnonzero(np.bincount(mask.ravel())) if is_uint8 else np.unique(mask)
    return [int(value) for value in values]


def _check_number(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return f"expected a number, got {_describe(value)}"
    return "" if abs(value) <= MAX_NUMBER else f"the number {value:g} is not finite in float32"


def _check_map(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return f"expected a map of floats, got {_describe(value)}"
    if value.ndim != 3 or len(value) != spec.channels:
        return f"expected a map [K, H, W] of {spec.channels} channel(s), got shape {value.shape}"
    if value.shape[1:] != size:
        return _size_problem("map", value.shape[1:], size)
    num_invalid = int((~np.isfinite(value)).sum())
    return f"{num_invalid} numbers of the map are not finite" if num_invalid else ""


_CHECKS: Mapping[Form, Callable[[LabelSpec, RawLabel, tuple[int, int]], str]] = {
    Form.CATEGORY: _check_category,
    Form.CATEGORIES: _check_categories,
    Form.BOXES: _check_boxes,
    Form.MASK: _check_mask,
    Form.NUMBER: _check_number,
    Form.MAP: _check_map,
}


_FIXES: Mapping[Form, str] = {
    Form.BOXES: "correct these boxes; the message has left, top, right, bottom in pixels of the "
    "image, whatever the numbers of the file are",
    Form.MASK: "correct these masks, or the settings that state their classes (such as `classes`, "
    "and `values` for other pixel values)",
    Form.NUMBER: "correct these numbers; leave the cell of a missing number empty",
}


def _check_classes(spec: LabelSpec, indices: object) -> str:
    """Return a problem for the first index that is not a class; empty if there is none."""
    for index in np.asarray(indices, np.int64).tolist():
        if not 0 <= index < len(spec.classes):
            return f"class {index} does not exist, the classes are 0 to {len(spec.classes) - 1}"
    return ""


def _size_problem(name: str, shape: tuple[int, ...], size: tuple[int, int]) -> str:
    return (
        f"the {name} is {_width_by_height(shape)} pixels, its image {_width_by_height(size)} "
        "(width x height)"
    )


def _is_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"{value!r} ({type(value).__name__})"


def _width_by_height(shape: tuple[int, ...]) -> str:
    """Return ``320 x 240`` for the shape (240, 320)."""
    return " x ".join(str(side) for side in reversed(shape))
