"""Scorer of any number of classes per image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from mtlsearch.evaluation._average_precision import average_precision
from mtlsearch.plugin import Scorer, class_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.labels import RawLabel
    from mtlsearch.prediction import CategoriesPrediction, Prediction

_Scalar = TypeVar("_Scalar", np.float32, np.bool_)

MIN_PROBABILITY = 1e-7
"""Smallest probability in a logarithm."""


class CategoriesScorer(Scorer):
    """Scorer of ``mAP``: average precision per class, averaged over the classes that occur.

    Accuracy, F1 and IoU of a class count the images in which it occurs and is predicted. The
    quality of an image is the mean logarithm of the probability of the truth over classes, and
    ``nll`` the negative mean of that over images.

    Args:
        classes: class names by index.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._scores: list[NDArray[np.float32]] = []
        self._true: list[NDArray[np.bool_]] = []
        self._predicted: list[NDArray[np.bool_]] = []

    def add(self, prediction: Prediction, label: RawLabel) -> None:
        """See :meth:`mtlsearch.plugin.Scorer.add`."""
        predicted = cast("CategoriesPrediction", prediction)
        self._scores.append(predicted.scores)
        self._true.append(self._flags(cast("tuple[int, ...]", label)))
        self._predicted.append(self._flags(predicted.indices))

    def compute(self, counts: NDArray[np.int64]) -> Mapping[str, float]:
        """See :meth:`mtlsearch.plugin.Scorer.compute`."""
        values = [value for value in self._precisions(counts) if not math.isnan(value)]
        return {
            "mAP": sum(values) / len(values) if values else math.nan,
            "nll": -float(counts @ self.qualities() / counts.sum()) if counts.sum() else math.nan,
        }

    def per_class(self, counts: NDArray[np.int64]) -> Mapping[str, Mapping[str, float]]:
        """See :meth:`mtlsearch.plugin.Scorer.per_class`."""
        true, predicted = self._stack(self._true), self._stack(self._predicted)
        scores = class_scores(
            self._classes,
            correct=(counts @ (true & predicted)).tolist(),
            true=(counts @ true).tolist(),
            predicted=(counts @ predicted).tolist(),
        )
        return {"AP": dict(zip(self._classes, self._precisions(counts), strict=True)), **scores}

    def qualities(self) -> Sequence[float]:
        """See :meth:`mtlsearch.plugin.Scorer.qualities`."""
        scores, true = self._stack(self._scores), self._stack(self._true)
        of_truth = np.where(true, scores, 1 - scores).clip(MIN_PROBABILITY)
        return [float(value) for value in np.log(of_truth).mean(axis=1)]

    def support(self) -> Mapping[str, int]:
        """See :meth:`mtlsearch.plugin.Scorer.support`."""
        return dict(zip(self._classes, self._stack(self._true).sum(0).tolist(), strict=True))

    def confusion(self) -> NDArray[np.int64]:
        """Return pairs of a missed and a wrongly predicted class, and correct classes.

        Returns:
            Number of images ``[C + 1, C + 1]``. An image without a wrong class counts its missed
            classes in the last column, one without a missed class its wrong ones in the last row.
        """
        true, predicted = self._stack(self._true), self._stack(self._predicted)
        missed, wrong = (true & ~predicted).astype(np.int64), (predicted & ~true).astype(np.int64)
        size = len(self._classes)
        matrix = np.zeros((size + 1, size + 1), np.int64)
        matrix[:size, :size] = missed.T @ wrong + np.diag((true & predicted).sum(axis=0))
        matrix[:size, size] = missed.T @ ~wrong.any(axis=1)
        matrix[size, :size] = wrong.T @ ~missed.any(axis=1)
        return matrix

    def _precisions(self, counts: NDArray[np.int64]) -> list[float]:
        scores, true = self._stack(self._scores), self._stack(self._true)
        values = []
        for index in range(len(self._classes)):
            order = np.argsort(-scores[:, index], kind="stable")
            values.append(
                average_precision(scores[order, index], true[order, index], counts[order])
            )
        return values

    def _flags(self, indices: tuple[int, ...]) -> NDArray[np.bool_]:
        flags = np.zeros(len(self._classes), np.bool_)
        flags[list(indices)] = True
        return flags

    def _stack(self, rows: Sequence[NDArray[_Scalar]]) -> NDArray[_Scalar]:
        return np.array(rows).reshape(len(rows), len(self._classes))
