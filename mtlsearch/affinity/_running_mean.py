"""Running mean of matrices with missing entries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtlsearch.affinity._affinity import Array


class RunningMean:
    """Mean and standard error of matrices ``[..., T, T]``, per entry.

    Args:
        shape: shape of the matrices.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape)
        self._sum_of_squares = np.zeros(shape)
        self.count: NDArray[np.int64] = np.zeros(shape, dtype=np.int64)

    def add(self, values: Array, indices: Sequence[int]) -> None:
        """Add a matrix ``[..., n, n]`` for the n tasks at ``indices``, except its NaN entries."""
        rows, columns = np.ix_(indices, indices)
        is_finite = np.isfinite(values)
        filled = np.where(is_finite, values, 0.0)
        self._sum[..., rows, columns] += filled
        self._sum_of_squares[..., rows, columns] += filled**2
        self.count[..., rows, columns] += is_finite

    @property
    def mean(self) -> Array:
        """Mean per entry; NaN without values."""
        return np.where(self.count > 0, self._sum / np.maximum(self.count, 1), np.nan)

    @property
    def error(self) -> Array:
        """Standard error of the mean per entry; NaN with fewer than two values."""
        degrees = np.maximum(self.count - 1, 1)
        mean_of_squares = self._sum_of_squares / np.maximum(self.count, 1)
        variance = (mean_of_squares - self.mean**2).clip(min=0)
        return np.where(self.count > 1, np.sqrt(variance / degrees), np.nan)
