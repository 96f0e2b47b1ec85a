"""Non-maximum suppression, class by class, in numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def box_iou(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of every box with every other, ``[N, N]`` from ``[N, 4]``.

    Two boxes without area have none (NaN), which no threshold is below.
    """
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=-1)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        iou: NDArray[np.float32] = both / (area[:, None] + area[None, :] - both)
    return iou


def suppress(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], iou_threshold: float
) -> NDArray[np.bool_]:
    """Which boxes greedy NMS keeps, ``[N]``, given boxes in order of falling score.

    A box goes when a *kept* earlier box of its class overlaps it by more than the
    threshold. Found as the fixed point of that sentence, which is reached after as many
    rounds as the longest chain of overlaps (Cluster-NMS, Zheng et al. 2020), so no loop
    runs over the boxes.

    Args:
        boxes: ``[N, 4]`` xyxy, the best first.
        classes: ``[N]``.
        iou_threshold: largest overlap two boxes of one class may have.
    """
    # As a float64 the threshold is compared exactly, as torchvision does.
    overlaps = box_iou(boxes) > np.float64(iou_threshold)
    suppresses = np.triu(overlaps & (classes[:, None] == classes[None, :]), k=1)
    keep = np.ones(len(boxes), np.bool_)
    while True:
        following = ~suppresses[keep].any(axis=0)
        if np.array_equal(following, keep):
            return keep
        keep = following
