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
        DataError: a polygon has too few corners, or the run lengths do not fit the image.
    """
    subject = f"the segmentation of annotation {annotation.id}"
    shape = annotation.segmentation
    if isinstance(shape, Mapping) and tuple(shape.get("size", ())) != size:
        raise DataError(
            f"{subject} must have the size {list(size)} of the image (height, width), got "
            f"{shape.get('size')}",
            where=where,
        )
    if isinstance(shape, list) and not (shape and all(_is_polygon(part) for part in shape)):
        raise DataError(f"{subject} has a polygon of fewer than three corners", where=where)
    try:
        pixels = mask_api.decode(mask_api.segmToRle(shape, size[1], size[0]))
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{subject} cannot be decoded: {error}", where=where) from error
    return np.asarray(pixels, np.bool_).reshape(size)


def _is_polygon(part: Sequence[float]) -> bool:
    return len(part) >= 6 and len(part) % 2 == 0 and bool(np.isfinite(part).all())
