"""What can be wrong with a label, whichever source it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mtlsearch.labels import Boxes, Form, LabelSpec, RawLabel, Sample

TOLERANCE = 1.0
"""Pixels by which a box may leave its image: rounding, and counting from 0 or from 1."""


def problems_of(sample: Sample, labels: Mapping[str, LabelSpec]) -> tuple[str, ...]:
    """All that is wrong with a sample, one sentence each; empty where nothing is."""
    found: list[str] = []
    if sample.image.mode != "RGB":
        found.append(f"the image is {sample.image.mode}, a source must yield RGB")
    width, height = sample.image.size
    for name, value in sample.labels.items():
        if name not in labels:
            found.append(f"label {name!r} is not among those that its source names")
            continue
        text = _CHECKS[labels[name].form](labels[name], value, (height, width))
        if text:
            found.append(f"label {name!r}: {text}")
    return tuple(found)


def _category(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not _is_int(value):
        return f"a class index is wanted, not {_say(value)}"
    return _unknown(spec, [value])


def _categories(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not isinstance(value, tuple) or not all(_is_int(item) for item in value):
        return f"a tuple of class indices is wanted, not {_say(value)}"
    if len(set(value)) != len(value):
        return f"a class occurs twice in {value}"
    return _unknown(spec, value)


def _boxes(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not isinstance(value, Boxes):
        return f"Boxes are wanted, not {_say(value)}"
    count = len(value.classes)
    if value.xyxy.shape != (count, 4) or value.crowd.shape != (count,):
        return (
            f"xyxy {value.xyxy.shape}, classes {value.classes.shape} and crowd "
            f"{value.crowd.shape} do not belong together"
        )
    return _boxes_in_image(value, size) or _unknown(spec, value.classes)


def _boxes_in_image(boxes: Boxes, size: tuple[int, int]) -> str:
    height, width = size
    for row, box in enumerate(boxes.xyxy.tolist(), start=1):
        left, top, right, bottom = box
        said = f"box {row} ({', '.join(f'{side:g}' for side in box)})"
        if not np.isfinite(box).all():
            return f"{said} is not finite"
        if right <= left or bottom <= top:
            return f"{said} has no area (left, top, right, bottom)"
        outside = min(left, top, width - right, height - bottom) < -TOLERANCE
        # A box within the tolerance that would vanish when clipped lies outside as well.
        if outside or min(right, width) <= max(left, 0) or min(bottom, height) <= max(top, 0):
            return f"{said} lies outside the image of {width} x {height} pixels"
    return ""


def _mask(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
        return f"a mask of integers is wanted, not {_say(value)}"
    if value.shape != size:
        return f"the mask is {_by(value.shape)} pixels, its image {_by(size)} (width x height)"
    return _unknown(spec, [item for item in _occurring(value) if item != spec.ignore_index])


def _occurring(mask: NDArray[np.integer]) -> list[int]:
    # Counting is many times faster than the sorting of np.unique.
    counted = mask.dtype == np.uint8
    values = np.flatnonzero(np.bincount(mask.ravel())) if counted else np.unique(mask)
    return [int(value) for value in values]


def _map(spec: LabelSpec, value: RawLabel, size: tuple[int, int]) -> str:
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return f"a map of floats is wanted, not {_say(value)}"
    if value.ndim != 3 or len(value) != spec.channels:
        return f"a map [K, H, W] of {spec.channels} channel(s) is wanted, not {value.shape}"
    if value.shape[1:] != size:
        return f"the map is {_by(value.shape[1:])} pixels, its image {_by(size)} (width x height)"
    bad = int((~np.isfinite(value)).sum())
    return f"{bad} numbers of the map are not finite" if bad else ""


_CHECKS: Mapping[Form, Callable[[LabelSpec, RawLabel, tuple[int, int]], str]] = {
    Form.CATEGORY: _category,
    Form.CATEGORIES: _categories,
    Form.BOXES: _boxes,
    Form.MASK: _mask,
    Form.MAP: _map,
}


def _unknown(spec: LabelSpec, indices: object) -> str:
    """A sentence about the first index that names no class."""
    for index in np.asarray(indices, np.int64).tolist():
        if not 0 <= index < len(spec.classes):
            return f"class {index} is unknown, there are 0 to {len(spec.classes) - 1}"
    return ""


def _is_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _say(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"{value!r} ({type(value).__name__})"


def _by(shape: tuple[int, ...]) -> str:
    """``320 x 240`` for the shape (240, 320)."""
    return " x ".join(str(side) for side in reversed(shape))
