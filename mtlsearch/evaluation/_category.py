"""Scorer of one class per image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from mtlsearch.plugin import Scorer, class_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.labels import RawLabel
    from mtlsearch.prediction import CategoryPrediction, Prediction


MIN_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Smallest probability in a logarithm."""


class CategoryScorer(Scorer):
    """Scorer of ``accuracy`` and ``nll`` over images, and of ``f1``, averaged over classes.

    A class that neither occurs nor is predicted has no F1 and is excluded. The quality of an
    image is the probability of its true class, and ``nll`` the mean of its negative logarithm.

    Args:
        classes: class names by index.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._pairs: list[tuple[int, int]] = []
        self._qualities: list[float] = []

    def add(self, prediction: Prediction, label: RawLabel) -> None:
        """See :meth:`mtlsearch.plugin.Scorer.add`."""
        predicted, true = cast("CategoryPrediction", prediction), int(cast("int", label))
        self._pairs.append((true, predicted.index))
        self._qualities.append(float(predicted.scores[true]))

    def compute(self, counts: NDArray[np.int64]) -> Mapping[str, float]:
        """See :meth:`mtlsearch.plugin.Scorer.compute`."""
        matrix = self._matrix(counts)
        if not matrix.sum():
            return {"accuracy": math.nan, "f1": math.nan, "nll": math.nan}
        both, sides = matrix.diagonal(), matrix.sum(1) + matrix.sum(0)
        f1 = 2 * both[sides > 0] / sides[sides > 0]
        nll = -np.log(np.array(self._qualities).clip(MIN_PROBABILITY))
        return {
            "accuracy": float(both.sum() / matrix.sum()),
            "f1": float(f1.mean()),
            "nll": float(counts @ nll / counts.sum()),
        }

    def per_class(self, counts: NDArray[np.int64]) -> Mapping[str, Mapping[str, float]]:
        """See :meth:`mtlsearch.plugin.Scorer.per_class`."""
        matrix = self._matrix(counts)
        return class_scores(
            self._classes,
            correct=matrix.diagonal().tolist(),
            true=matrix.sum(1).tolist(),
            predicted=matrix.sum(0).tolist(),
        )

    def qualities(self) -> Sequence[float]:
        """See :meth:`mtlsearch.plugin.Scorer.qualities`."""
        return self._qualities

    def support(self) -> Mapping[str, int]:
        """See :meth:`mtlsearch.plugin.Scorer.support`."""
        return dict(zip(self._classes, self.confusion().sum(1).tolist(), strict=True))

    def confusion(self) -> NDArray[np.int64]:
        """See :meth:`mtlsearch.plugin.Scorer.confusion`."""
        return self._matrix(np.ones(len(self._pairs), np.int64))

    def _matrix(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        size = len(self._classes)
        pairs = np.array(self._pairs, np.int64).reshape(-1, 2)
        cells = np.bincount(pairs[:, 0] * size + pairs[:, 1], counts, size * size)
        return cells.astype(np.int64).reshape(size, size)
