"""Instances painted into one mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import faster_coco_eval.core.mask as mask_api
import numpy as np
from numpy.typing import NDArray

from mtlsearch.plugin import DataError

from ._index import Annotation

VOID = 255


def paint_mask(
    annotations: Sequence[Annotation],
    class_of: Mapping[int, int],
    size: tuple[int, int],
    where: str,
) -> NDArray[np.int32]:
    """One class a pixel, int32 ``[H, W]``: 0 background, 1 + class, 255 in a crowd.

    Args:
        annotations: of one image, each with a segmentation.
        class_of: category id to class index.
        size: ``(height, width)`` of the image.
        where: the image, for messages.

    Raises:
        DataError: a segmentation cannot be decoded.
    """
    decoded = [(one, decode(one, size, where)) for one in annotations]
    # Crowds first, then from large to small, so that whatever is in front shows.
    decoded.sort(key=lambda pair: (not pair[0].iscrowd, -int(pair[1].sum())))
    painted = np.zeros(size, np.int32)
    for one, covered in decoded:
        painted[covered] = VOID if one.iscrowd else 1 + class_of[one.category_id]
    return painted


def decode(annotation: Annotation, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """The pixels of one instance, bool ``[H, W]``.

    Raises:
        DataError: its polygons have too few corners, or its run lengths do not fill the
            image.
    """
    said = f"the segmentation of annotation {annotation.id}"
    shape = annotation.segmentation
    if isinstance(shape, Mapping) and tuple(shape.get("size", ())) != size:
        raise DataError(
            f"{said} is of size {shape.get('size')}, the image is {list(size)} (height, width)",
            where=where,
        )
    if isinstance(shape, list) and not (shape and all(_is_polygon(part) for part in shape)):
        raise DataError(f"{said} has a polygon of fewer than three corners", where=where)
    try:
        pixels = mask_api.decode(mask_api.segmToRle(shape, size[1], size[0]))
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{said} cannot be decoded: {error}", where=where) from error
    return np.asarray(pixels, np.bool_).reshape(size)


def _is_polygon(part: Sequence[float]) -> bool:
    return len(part) >= 6 and len(part) % 2 == 0 and bool(np.isfinite(part).all())
