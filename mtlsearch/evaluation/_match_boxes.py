"""Assignment of predicted to true boxes, as in COCO.

No library returns the matches of each image that a bootstrap needs: faster-coco-eval keeps them
in C++, and pycocotools must be compiled on some systems. Tests compare with pycocotools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU from which a predicted box has a true box; COCO's mAP is the mean over these."""


def match_boxes(
    predicted: NDArray[np.float64], true: NDArray[np.float64], is_crowd: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Match the boxes of one class in one image, by descending score.

    A box takes the free true box with the largest IoU. If there is none, it may lie in a crowd,
    which any number of boxes may; such a box is neither right nor wrong.

    Args:
        predicted: xyxy, ``[D, 4]``, the best score first.
        true: xyxy, ``[G, 4]``.
        is_crowd: whether a true box is a crowd, ``[G]``.

    Returns:
        Whether each prediction has a true box and whether it counts, both bool ``[T, D]`` for
        the T IoU thresholds.
    """
    num_thresholds = len(IOU_THRESHOLDS)
    is_hit = np.zeros((num_thresholds, len(predicted)), np.bool_)
    is_counted = np.ones_like(is_hit)
    if not len(true) or not len(predicted):
        return is_hit, is_counted
    overlaps = box_overlaps(predicted, true, is_crowd)
    is_free = np.tile(~is_crowd, (num_thresholds, 1))
    rows = np.arange(num_thresholds)
    for index, row in enumerate(overlaps):
        candidates = np.where(is_free & (row >= IOU_THRESHOLDS[:, None]), row, -1.0)
        # The last of several equal overlaps, as in COCO.
        best = candidates.shape[1] - 1 - candidates[:, ::-1].argmax(axis=1)
        has_box = candidates[rows, best] >= 0
        is_hit[:, index] = has_box
        is_free[rows[has_box], best[has_box]] = False
        in_crowd = (is_crowd & (row >= IOU_THRESHOLDS[:, None])).any(axis=1)
        is_counted[:, index] = has_box | ~in_crowd
    return is_hit, is_counted


def box_overlaps(
    predicted: NDArray[np.float64], true: NDArray[np.float64], is_crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the IoU of each pair; with a crowd, the part of the prediction that is in it.

    Args:
        predicted: xyxy, ``[D, 4]``.
        true: xyxy, ``[G, 4]``.
        is_crowd: whether a true box is a crowd, ``[G]``.

    Returns:
        Values from 0 to 1, ``[D, G]``.
    """
    low = np.maximum(predicted[:, None, :2], true[None, :, :2])
    high = np.minimum(predicted[:, None, 2:], true[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=-1)
    areas, true_areas = _areas(predicted)[:, None], _areas(true)[None]
    union = np.where(is_crowd, areas, areas + true_areas - both)
    overlaps: NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return overlaps


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return areas
