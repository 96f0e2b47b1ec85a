"""Average precision of a resample of images, from statistics per image.

A resample repeats images. The detections of a repeated image count several times, so average
precision is computed with integer weights instead of repeated arrays.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECALLS = np.linspace(0.0, 1.0, 101)
"""Recalls at which COCO samples the precision."""


def average_precision(
    scores: NDArray[np.float32], is_true: NDArray[np.bool_], weights: NDArray[np.int64]
) -> float:
    """Return the average precision of one class over images, without interpolation.

    Images with equal scores are one threshold, as in scikit-learn.

    Args:
        scores: score of each image, descending, ``[n]``.
        is_true: whether the class occurs in the image, ``[n]``.
        weights: how often each image counts, ``[n]``.

    Returns:
        Value from 0 to 1; NaN if the class does not occur.
    """
    hits = np.cumsum(is_true * weights)
    if not hits.size or not hits[-1]:
        return math.nan
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    hits, predicted = hits[ends], np.cumsum(weights)[ends]
    precision = hits / np.maximum(predicted, 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / hits[-1])


def coco_average_precision(
    is_hit: NDArray[np.bool_],
    is_counted: NDArray[np.bool_],
    weights: NDArray[np.int64],
    num_boxes: int,
) -> NDArray[np.float64]:
    """Return the average precision of one class over boxes, at 101 recalls as in COCO.

    Args:
        is_hit: whether a detection has a true box, ``[T, N]`` for T IoU thresholds, the best
            score first.
        is_counted: whether a detection is not in a crowd, ``[T, N]``.
        weights: how often the image of each detection counts, ``[N]``.
        num_boxes: number of true boxes, each as often as its image counts.

    Returns:
        Value from 0 to 1 per IoU threshold, ``[T]``; NaN without true boxes.
    """
    if not num_boxes:
        return np.full(len(is_hit), math.nan)
    hits = np.cumsum(is_hit * weights, axis=1)
    misses = np.cumsum((~is_hit & is_counted) * weights, axis=1)
    precision = hits / np.maximum(hits + misses, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    envelope = np.pad(envelope, ((0, 0), (0, 1)))  # recalls that are never reached
    recall = hits / num_boxes
    rows = [
        envelope[row, np.searchsorted(recall[row], RECALLS)].mean() for row in range(len(is_hit))
    ]
    return np.array(rows)
