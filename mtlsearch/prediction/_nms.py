"""Non-maximum suppression and box voting per class, in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def box_iou(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intersection over union of all pairs of boxes.

    Args:
        boxes: xyxy, float32 ``[N, 4]``.
        others: xyxy, float32 ``[M, 4]``.

    Returns:
        IoU, ``[N, M]``; NaN for two boxes without area, which exceeds no threshold.
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        iou: NDArray[np.float32] = both / (_area(boxes)[:, None] + _area(others)[None] - both)
    return iou


def _area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    area: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return area


def suppress(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], iou_threshold: float
) -> NDArray[np.bool_]:
    """Return which boxes greedy NMS keeps.

    A box is suppressed if an earlier box of its class, which is kept, overlaps it by more than
    the threshold. The result is computed as a fixed point (Cluster-NMS, Zheng et al. 2020). It
    needs as many iterations as the longest chain of overlaps, without a loop over boxes.

    Args:
        boxes: xyxy, ``[N, 4]``, the best score first.
        classes: class indices, ``[N]``.
        iou_threshold: largest IoU of two kept boxes of one class.

    Returns:
        Which boxes are kept, bool ``[N]``.
    """
    # A float64 threshold is compared exactly, as in torchvision.
    overlaps = box_iou(boxes, boxes) > np.float64(iou_threshold)
    suppresses = np.triu(overlaps & (classes[:, None] == classes[None, :]), k=1)
    keep = np.ones(len(boxes), np.bool_)
    while True:
        updated = ~suppresses[keep].any(axis=0)
        if np.array_equal(updated, keep):
            return keep
        keep = updated


def vote(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
    keep: NDArray[np.bool_],
    iou_threshold: float,
) -> NDArray[np.float32]:
    """Return each kept box as the mean of the boxes that overlap it (box voting).

    Gidaris and Komodakis 2015, "Object detection via a multi-region and semantic segmentation-aware
    CNN model", Section 5. The weight of a box is its score. A kept box counts for itself.

    Args:
        boxes: xyxy, ``[N, 4]``.
        scores: positive scores, ``[N]``.
        classes: class indices, ``[N]``. Only boxes of one class count for each other.
        keep: which boxes are kept, bool ``[N]``.
        iou_threshold: IoU above which a box counts.

    Returns:
        The K kept boxes, float32 ``[K, 4]``.
    """
    counts = box_iou(boxes[keep], boxes) > np.float64(iou_threshold)
    counts &= classes[keep][:, None] == classes[None, :]
    counts[np.arange(len(counts)), np.flatnonzero(keep)] = True
    weights = counts * scores
    mean: NDArray[np.float32] = weights @ boxes / weights.sum(axis=1, keepdims=True)
    return mean
