"""Contract of a scorer: metrics of any resample of images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtlsearch.labels import RawLabel
    from mtlsearch.prediction import Prediction


class Scorer(ABC):
    """Accumulator of the statistics per image from which the metrics of one task follow.

    ``mtlsearch evaluate`` uses it. A :class:`Meter` receives the outputs of a head at the size of
    the network's input. A scorer receives decoded predictions, also at the size of the image. It
    computes the metrics of any resample of the images, so that they have confidence intervals.

    Labels and predictions of all forms except maps have a scorer already.
    """

    @abstractmethod
    def add(self, prediction: Prediction, label: RawLabel) -> None:
        """Add one image.

        Args:
            prediction: the prediction, decoded by form.
            label: the label, in the same pixels as the prediction.
        """

    @abstractmethod
    def compute(self, counts: NDArray[np.int64]) -> Mapping[str, float]:
        """Return the metrics of a resample of the images.

        Args:
            counts: how often each image counts, ``[n]``, in the order of :meth:`add`; all ones
                are the images themselves.

        Returns:
            A value per metric name; NaN if the metric is undefined.
        """

    @abstractmethod
    def qualities(self) -> Sequence[float]:
        """Return a number per image by which the worst images are selected.

        Returns:
            Higher is better; NaN for an image without a result. In the order of :meth:`add`.
        """

    def per_class(self, counts: NDArray[np.int64]) -> Mapping[str, Mapping[str, float]]:
        """Return the results of each class for a resample of the images.

        Args:
            counts: see :meth:`compute`.

        Returns:
            A value per metric and class name; NaN if undefined. None by default.
        """
        return {}

    def support(self) -> Mapping[str, int]:
        """Return how often each class occurs in the labels.

        Returns:
            Number of images, boxes or pixels by class name. None by default.
        """
        return {}

    def confusion(self) -> NDArray[np.int64] | None:
        """Return the confusion matrix of all images.

        Returns:
            Number of images, boxes or pixels, ``[true class, predicted class]``; None by
            default. One more row and column than classes count what has no counterpart, such
            as a predicted box without a true one.
        """
        return None
