"""A mean over steps in which some entries are missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtlsearch.affinity._affinity import Array


class RunningMean:
    """Mean and standard error of matrices ``[..., T, T]``, entry by entry.

    Args:
        shape: of the matrices.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape)
        self._squares = np.zeros(shape)
        self.count: NDArray[np.int64] = np.zeros(shape, dtype=np.int64)

    def add(self, values: Array, places: Sequence[int]) -> None:
        """Count in ``[..., n, n]`` for the tasks at ``places``; NaN is not counted."""
        rows, columns = np.ix_(places, places)
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        self._sum[..., rows, columns] += filled
        self._squares[..., rows, columns] += filled**2
        self.count[..., rows, columns] += known

    @property
    def mean(self) -> Array:
        """NaN where nothing was counted."""
        return np.where(self.count > 0, self._sum / np.maximum(self.count, 1), np.nan)

    @property
    def error(self) -> Array:
        """Standard error of the mean; NaN where fewer than two were counted."""
        several = np.maximum(self.count - 1, 1)
        variance = (self._squares / np.maximum(self.count, 1) - self.mean**2).clip(min=0)
        return np.where(self.count > 1, np.sqrt(variance / several), np.nan)
