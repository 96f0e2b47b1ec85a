"""Objects in a label file, and masks drawn from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import faster_coco_eval.core.mask as mask_api
import numpy as np
from numpy.typing import NDArray

from mtlsearch.plugin import DataError, read_text

TOLERANCE = 0.01
"""Fraction of the image by which a number may be outside of 0 to 1: rounding."""
NUMBERS_FIX = "write the class as its number in `names`, counted from 0, and finite numbers"
NUM_BOX = 5
"""Numbers of a line with a box: class, center and size."""


@dataclass(frozen=True, slots=True)
class YoloObject:
    """One object.

    Attributes:
        index: class index.
        xyxy: left, top, right, bottom as fractions of the image.
        polygon: corners x1, y1, x2, y2, ... as fractions of the image; empty for a box.
    """

    index: int
    xyxy: tuple[float, float, float, float]
    polygon: tuple[float, ...]


def read_objects(
    path: Path, num_classes: int, num_keypoint_values: int, where: str
) -> list[YoloObject]:
    """Read the objects of one image.

    Args:
        path: the label file.
        num_classes: number of classes.
        num_keypoint_values: numbers after a box, which are ignored.
        where: the image, for messages.

    Returns:
        The objects; none if the file is empty.

    Raises:
        DataError: a line is malformed; the message contains the line.
    """
    objects = []
    for row, line in enumerate(read_text(path, what="label file", where=where).splitlines(), 1):
        if line.strip():
            place = f"{where}, {path} line {row}"
            objects.append(_parse(line.split(), num_classes, num_keypoint_values, place))
    return objects


def draw_mask(objects: Sequence[YoloObject], size: tuple[int, int]) -> NDArray[np.int32]:
    """Draw the objects of an image into one mask.

    Args:
        objects: objects with polygons.
        size: ``(height, width)`` of the image in pixels.

    Returns:
        Int32 ``[H, W]``: 0 is the background, 1 + class index an object. Smaller objects are drawn
        over larger ones.
    """
    height, width = size
    scale = np.array([width, height], np.float64)
    drawn = []
    for item in objects:
        corners = (np.array(item.polygon).reshape(-1, 2) * scale).ravel().tolist()
        pixels = mask_api.decode(mask_api.segmToRle([corners], width, height))
        drawn.append((item.index, np.asarray(pixels, np.bool_).reshape(size)))
    mask = np.zeros(size, np.int32)
    for index, is_covered in sorted(drawn, key=lambda pair: -int(pair[1].sum())):
        mask[is_covered] = 1 + index
    return mask


def _parse(
    words: Sequence[str], num_classes: int, num_keypoint_values: int, where: str
) -> YoloObject:
    numbers = [_number(word, where) for word in words]
    if num_keypoint_values and len(numbers) == NUM_BOX + num_keypoint_values:
        numbers = numbers[:NUM_BOX]
    is_polygon = len(numbers) >= 7 and len(numbers) % 2 == 1
    if len(numbers) != NUM_BOX and not is_polygon:
        raise DataError(
            f"a line must have 5 numbers, or a class and at least 3 corners, got {len(numbers)}",
            where=where,
            allowed=("class x-center y-center width height", "class x1 y1 x2 y2 x3 y3 ..."),
            next_step="correct the line, or set `kpt_shape` in the data file if keypoints follow "
            "the box",
        )
    index, *values = numbers
    if not index.is_integer() or not 0 <= index < num_classes:
        raise DataError(
            f"class {words[0]} does not exist, the classes are 0 to {num_classes - 1}",
            where=where,
            next_step="add the missing classes to `names` in the data file; if the class numbers "
            "count from 1, subtract 1 from each of them",
        )
    if not all(-TOLERANCE <= value <= 1 + TOLERANCE for value in values):
        raise DataError(
            "the numbers must be fractions of the image's width and height, from 0 to 1, got "
            f"{' '.join(words[1:NUM_BOX])}",
            where=where,
            next_step="divide pixels by the width and the height of the image",
        )
    if is_polygon:
        xs, ys = values[0::2], values[1::2]
        return YoloObject(int(index), (min(xs), min(ys), max(xs), max(ys)), tuple(values))
    x, y, width, height = values
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return YoloObject(int(index), edges, ())


def _number(word: str, where: str) -> float:
    try:
        number = float(word)
    except ValueError as error:
        raise DataError(f"{word!r} is not a number", where=where, next_step=NUMBERS_FIX) from error
    if not math.isfinite(number):
        raise DataError(f"{word!r} is not a finite number", where=where, next_step=NUMBERS_FIX)
    return number
