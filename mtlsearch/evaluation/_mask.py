"""Scorer of one class per pixel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from mtlsearch.plugin import Scorer, class_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.labels import RawLabel
    from mtlsearch.prediction import MaskPrediction, Prediction


class MaskScorer(Scorer):
    """Scorer of ``mIoU`` and ``pixel_accuracy`` over the labeled pixels of all images.

    A class that neither occurs nor is predicted at a labeled pixel has no IoU and is excluded.
    The quality of an image is the mean IoU of its classes.

    Args:
        classes: class names by index.
        ignore_index: value of void pixels; a class with this index is excluded.
    """

    def __init__(self, classes: Sequence[str], ignore_index: int) -> None:
        self._classes = classes
        self._ignore_index = ignore_index
        self._is_class = np.arange(len(classes)) != ignore_index
        self._matrix = np.zeros((len(classes), len(classes)), np.int64)
        self._counts: list[NDArray[np.int64]] = []  # [3, C]: correct, true and predicted pixels

    def add(self, prediction: Prediction, label: RawLabel) -> None:
        """See :meth:`mtlsearch.plugin.Scorer.add`."""
        true = np.asarray(label).astype(np.int64)
        predicted = cast("MaskPrediction", prediction).indices.astype(np.int64)
        is_labeled, size = true != self._ignore_index, len(self._classes)
        cells = np.bincount(true[is_labeled] * size + predicted[is_labeled], minlength=size * size)
        matrix = cells.reshape(size, size)
        self._matrix += matrix
        self._counts.append(np.stack([matrix.diagonal(), matrix.sum(1), matrix.sum(0)]))

    def compute(self, counts: NDArray[np.int64]) -> Mapping[str, float]:
        """See :meth:`mtlsearch.plugin.Scorer.compute`."""
        correct, true, predicted = self._sums(counts)
        if not true.sum():
            return {"mIoU": math.nan, "pixel_accuracy": math.nan}
        return {
            "mIoU": self._mean_iou(correct, true, predicted),
            "pixel_accuracy": float(correct.sum() / true.sum()),
        }

    def per_class(self, counts: NDArray[np.int64]) -> Mapping[str, Mapping[str, float]]:
        """See :meth:`mtlsearch.plugin.Scorer.per_class`."""
        correct, true, predicted = (np.where(self._is_class, row, 0) for row in self._sums(counts))
        scores = class_scores(
            self._classes,
            correct=correct.tolist(),
            true=true.tolist(),
            predicted=predicted.tolist(),
        )
        return {metric: scores[metric] for metric in ("IoU", "accuracy", "F1")}

    def qualities(self) -> Sequence[float]:
        """See :meth:`mtlsearch.plugin.Scorer.qualities`."""
        return [self._mean_iou(*image) if image[1].any() else math.nan for image in self._counts]

    def support(self) -> Mapping[str, int]:
        """See :meth:`mtlsearch.plugin.Scorer.support`."""
        return dict(zip(self._classes, self._matrix.sum(1).tolist(), strict=True))

    def confusion(self) -> NDArray[np.int64]:
        """See :meth:`mtlsearch.plugin.Scorer.confusion`."""
        return self._matrix

    def _sums(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return correct, true and predicted pixels by class, ``[3, C]``."""
        size = len(self._classes)
        rows = np.array(self._counts, np.int64).reshape(len(self._counts), 3 * size)
        sums: NDArray[np.int64] = (counts @ rows).reshape(3, size)
        return sums

    def _mean_iou(
        self,
        correct: NDArray[np.int64],
        true: NDArray[np.int64],
        predicted: NDArray[np.int64],
    ) -> float:
        union = true + predicted - correct
        is_present = (union > 0) & self._is_class
        if not is_present.any():
            return math.nan
        return float((correct[is_present] / union[is_present]).mean())
