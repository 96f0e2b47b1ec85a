"""Scorer of mean absolute error and R2, for resamples of the images."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mtlsearch.labels import RawLabel
from mtlsearch.plugin import Scorer
from mtlsearch.prediction import NumberPrediction, Prediction


class NumberScorer(Scorer):
    """Scorer of ``MAE`` and ``R2`` over images.

    R2 is NaN if all labels are equal. The quality of an image is its negative absolute error.
    """

    def __init__(self) -> None:
        self._predicted: list[float] = []
        self._truth: list[float] = []

    def add(self, prediction: Prediction, label: RawLabel) -> None:
        """See :meth:`mtlsearch.plugin.Scorer.add`."""
        self._predicted.append(cast("NumberPrediction", prediction).value)
        self._truth.append(float(cast("float", label)))

    def compute(self, counts: NDArray[np.int64]) -> dict[str, float]:
        """See :meth:`mtlsearch.plugin.Scorer.compute`."""
        total = int(counts.sum())
        if not total:
            return {"MAE": math.nan, "R2": math.nan}
        truth, error = np.array(self._truth), np.array(self._predicted) - self._truth
        spread = counts @ (truth - counts @ truth / total) ** 2
        is_constant = len(np.unique(truth[counts > 0])) == 1
        return {
            "MAE": float(counts @ np.abs(error) / total),
            "R2": math.nan if is_constant else float(1 - counts @ error**2 / spread),
        }

    def qualities(self) -> list[float]:
        """See :meth:`mtlsearch.plugin.Scorer.qualities`."""
        return [-abs(a - b) for a, b in zip(self._predicted, self._truth, strict=True)]
