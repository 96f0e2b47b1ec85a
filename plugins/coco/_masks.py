"""Masks drawn from instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import faster_coco_eval.core.mask as mask_api
import numpy as np
from numpy.typing import NDArray

from mtlsearch.plugin import DataError

from ._index import Annotation

VOID = 255


def draw_mask(
    annotations: Sequence[Annotation],
    class_by_category: Mapping[int | str, int],
    size: tuple[int, int],
    where: str,
) -> NDArray[np.int32]:
    """Draw the instances of an image into one mask.

    Args:
        annotations: annotations of one image, each with a segmentation.
        class_by_category: class index by category id.
        size: ``(height, width)`` of the image in pixels.
        where: the image, for messages.

    Returns:
        Int32 ``[H, W]``: 0 is the background, 1 + class index an instance, 255 a crowd region.

    Raises:
        DataError: a segmentation cannot be decoded.
    """
    decoded = [(annotation, decode(annotation, size, where)) for annotation in annotations]
    # Crowd regions first, then from large to small, so that small instances stay visible.
    decoded.sort(key=lambda pair: (not pair[0].iscrowd, -int(pair[1].sum())))
    mask = np.zeros(size, np.int32)
    for annotation, is_covered in decoded:
        is_crowd = annotation.iscrowd
        mask[is_covered] = VOID if is_crowd else 1 + class_by_category[annotation.category_id]
    return mask


def decode(annotation: Annotation, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """Decode the pixels of one instance.

    Args:
        annotation: the annotation, with a segmentation.
        size: ``(height, width)`` of the image in pixels.
        where: the image, for messages.

    Returns:
        Bool ``[H, W]``.

    Raises:
        DataError: a polygon has too few corners or is far outside the image, or the run lengths
            do not fit the image.
    """
    subject = f"the segmentation of annotation {annotation.id}"
    shape = annotation.segmentation
    if isinstance(shape, Mapping):
        if shape.get("size") != list(size):
            raise DataError(
                f"{subject} must have the size {list(size)} of the image (height, width), got "
                f"{shape.get('size')}",
                where=where,
            )
        try:
            return _fill(_counts_of(shape.get("counts")), size)
        except ValueError as error:
            raise DataError(f"{subject} cannot be decoded: {error}", where=where) from error
    if not (shape and all(_is_polygon(part) for part in shape)):
        raise DataError(f"{subject} has a polygon of fewer than three corners", where=where)
    if not all(_is_near(part, size) for part in shape):
        raise DataError(
            f"{subject} has a corner far outside the image of {size[1]} x {size[0]} pixels",
            where=where,
        )
    pixels = mask_api.decode(mask_api.segmToRle(shape, size[1], size[0]))
    return np.asarray(pixels, np.bool_).reshape(size)


def _is_polygon(part: Sequence[float]) -> bool:
    return len(part) >= 6 and len(part) % 2 == 0 and bool(np.isfinite(part).all())


def _is_near(part: Sequence[float], size: tuple[int, int]) -> bool:
    """Return whether all corners lie within one image's size around the image.

    Drawing needs memory for every pixel of an outline, also outside of the image.
    """
    corners = np.array(part, np.float64).reshape(-1, 2)
    extent = np.array([size[1], size[0]])
    return bool(((corners >= -extent) & (corners <= 2 * extent)).all())


def _counts_of(counts: object) -> list[int]:
    """Return run lengths from a list or from COCO's compressed text.

    Raises:
        ValueError: they are neither a list of integers nor such a text.
    """
    if isinstance(counts, str):
        return _decompress(counts)
    if isinstance(counts, list) and all(type(count) is int for count in counts):
        return counts
    raise ValueError("`counts` must be a list of integers or text")


def _decompress(text: str) -> list[int]:
    """Return the run lengths in a text of six bits per character.

    Five bits are a digit, from the lowest one; the sixth is set if another digit follows. From the
    fourth number on, the difference to the second last number is stored.
    """
    counts: list[int] = []
    number, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"`counts` contains {character!r}")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:  # the sign
            number -= 1 << shift
        counts.append(number + counts[-2] if len(counts) > 2 else number)
        number, shift = 0, 0
    if shift:
        raise ValueError("`counts` is incomplete")
    return counts


def _fill(counts: Sequence[int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of runs, which alternate between outside and inside, column by column."""
    num_pixels = size[0] * size[1]
    if any(count < 0 for count in counts) or sum(counts) != num_pixels:
        raise ValueError(f"the run lengths must not be negative and have the sum {num_pixels}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(size, order="F")
