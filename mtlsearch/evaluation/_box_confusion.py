"""Confusion matrix of boxes: pairs of a true and a predicted box, whatever their classes.

Ultralytics defines it so, but its function is part of a package that needs torch and OpenCV.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mtlsearch.evaluation._match_boxes import box_overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.labels import Boxes
    from mtlsearch.prediction import BoxesPrediction

MIN_IOU = 0.5
"""IoU from which a predicted box has a true box."""


def box_confusion(
    predicted: BoxesPrediction, true: Boxes, num_classes: int, score_threshold: float
) -> NDArray[np.int64]:
    """Return how often each true class has a box of each predicted class, in one image.

    Boxes are paired by descending IoU, and with equal IoU by descending score. The last row
    counts predicted boxes without a true box, the last column true boxes without a predicted
    one. A box that lies in a crowd of its class and has no true box is not counted.

    Args:
        predicted: predicted boxes.
        true: true boxes.
        num_classes: number of classes, C.
        score_threshold: smallest score of a predicted box that counts.

    Returns:
        Number of boxes, int64 ``[C + 1, C + 1]``, by true and predicted class.
    """
    is_shown = predicted.scores >= score_threshold
    order = np.flatnonzero(is_shown)[np.argsort(-predicted.scores[is_shown], kind="stable")]
    boxes, classes = predicted.xyxy[order].astype(np.float64), predicted.classes[order]
    overlaps = box_overlaps(boxes, true.xyxy.astype(np.float64), true.crowd)
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    is_free, is_missed = np.ones(len(boxes), np.bool_), ~true.crowd
    rows, columns = np.nonzero((overlaps >= MIN_IOU) & ~true.crowd)
    for pair in np.argsort(-overlaps[rows, columns], kind="stable"):
        row, column = rows[pair], columns[pair]
        if is_free[row] and is_missed[column]:
            is_free[row] = is_missed[column] = False
            matrix[true.classes[column], classes[row]] += 1
    is_same = classes[:, None] == true.classes[None]
    in_crowd = ((overlaps >= MIN_IOU) & is_same & true.crowd).any(axis=1)
    surplus, missed = classes[is_free & ~in_crowd], true.classes[is_missed]
    matrix[num_classes, :num_classes] = np.bincount(surplus, minlength=num_classes)
    matrix[:num_classes, num_classes] = np.bincount(missed, minlength=num_classes)
    return matrix
