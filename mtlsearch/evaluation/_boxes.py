"""Scorer of boxes with classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from mtlsearch.evaluation._average_precision import coco_average_precision
from mtlsearch.evaluation._box_confusion import box_confusion
from mtlsearch.evaluation._match_boxes import IOU_THRESHOLDS, match_boxes
from mtlsearch.plugin import Scorer, class_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.labels import Boxes, RawLabel
    from mtlsearch.prediction import BoxesPrediction, Prediction

MAX_DETECTIONS = 100
"""Number of boxes per image and class that count, as in COCO."""


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """Detections of one class, the best score first.

    Attributes:
        scores: score of each detection, ``[N]``.
        images: index of its image, ``[N]``.
        is_hit: whether it has a true box, ``[T, N]``.
        is_counted: whether it is not in a crowd, ``[T, N]``.
    """

    scores: NDArray[np.float32]
    images: NDArray[np.int64]
    is_hit: NDArray[np.bool_]
    is_counted: NDArray[np.bool_]

    def shown(self, threshold: float) -> NDArray[np.bool_]:
        """Return which detections have a score of at least the threshold, ``[N]``."""
        return self.scores >= threshold


class BoxesScorer(Scorer):
    """Scorer of ``mAP`` (IoU 0.5 to 0.95) and ``mAP50``, over the classes with a true box.

    Accuracy, F1 and IoU of a class count boxes at an IoU of 0.5: the true ones, the predicted
    ones with a score of at least the threshold, and those that are both. The quality of an image
    is its F1, averaged over the IoU thresholds.

    Args:
        classes: class names by index.
        score_threshold: smallest score of a box that ``mtlsearch predict`` returns.
    """

    def __init__(self, classes: Sequence[str], score_threshold: float) -> None:
        self._classes = classes
        self._score_threshold = score_threshold
        self._matches: list[list[_Matches]] = [[] for _ in classes]  # by class, one per image
        self._num_boxes: list[NDArray[np.int64]] = []  # by image, [C]
        self._qualities: list[float] = []
        self._joined: list[_Matches] | None = None
        self._confusion = np.zeros((len(classes) + 1, len(classes) + 1), np.int64)

    def add(self, prediction: Prediction, label: RawLabel) -> None:
        """See :meth:`mtlsearch.plugin.Scorer.add`."""
        predicted, true = cast("BoxesPrediction", prediction), cast("Boxes", label)
        matches_by_class = {
            index: self._match(predicted, true, index)
            for index in np.unique(predicted.classes).tolist()
        }
        for index, matches in matches_by_class.items():
            self._matches[index].append(matches)
        of_class = np.bincount(true.classes[~true.crowd], minlength=len(self._classes))
        self._num_boxes.append(of_class.astype(np.int64))
        self._qualities.append(self._quality(list(matches_by_class.values()), int(of_class.sum())))
        self._confusion += box_confusion(predicted, true, len(self._classes), self._score_threshold)
        self._joined = None

    def compute(self, counts: NDArray[np.int64]) -> Mapping[str, float]:
        """See :meth:`mtlsearch.plugin.Scorer.compute`."""
        values = self._precisions(counts)
        values = values[~np.isnan(values).any(axis=1)]
        if not len(values):
            return {"mAP": math.nan, "mAP50": math.nan}
        return {"mAP": float(values.mean()), "mAP50": float(values[:, 0].mean())}

    def per_class(self, counts: NDArray[np.int64]) -> Mapping[str, Mapping[str, float]]:
        """See :meth:`mtlsearch.plugin.Scorer.per_class`."""
        precisions, correct, predicted = self._precisions(counts), [], []
        for matches in self._by_class():
            weights = counts[matches.images] * matches.shown(self._score_threshold)
            correct.append(int(weights @ matches.is_hit[0]))
            predicted.append(int(weights @ matches.is_counted[0]))
        return {
            "AP": dict(zip(self._classes, precisions.mean(axis=1).tolist(), strict=True)),
            "AP50": dict(zip(self._classes, precisions[:, 0].tolist(), strict=True)),
            **class_scores(
                self._classes,
                correct=correct,
                true=(counts @ self._true_boxes()).tolist(),
                predicted=predicted,
            ),
        }

    def qualities(self) -> Sequence[float]:
        """See :meth:`mtlsearch.plugin.Scorer.qualities`."""
        return self._qualities

    def support(self) -> Mapping[str, int]:
        """See :meth:`mtlsearch.plugin.Scorer.support`."""
        return dict(zip(self._classes, self._true_boxes().sum(0).tolist(), strict=True))

    def confusion(self) -> NDArray[np.int64]:
        """See :meth:`mtlsearch.plugin.Scorer.confusion`."""
        return self._confusion

    def _match(self, predicted: BoxesPrediction, true: Boxes, index: int) -> _Matches:
        """Match the boxes of one class in one image."""
        rows = np.flatnonzero(predicted.classes == index)
        rows = rows[np.argsort(-predicted.scores[rows], kind="stable")[:MAX_DETECTIONS]]
        of_class = true.classes == index
        is_hit, is_counted = match_boxes(
            predicted.xyxy[rows].astype(np.float64),
            true.xyxy[of_class].astype(np.float64),
            true.crowd[of_class],
        )
        images = np.full(len(rows), len(self._num_boxes), np.int64)
        return _Matches(predicted.scores[rows], images, is_hit, is_counted)

    def _quality(self, image: Sequence[_Matches], num_true: int) -> float:
        """Return the F1 of one image; 1 without true and predicted boxes."""
        num_hits = np.zeros(len(IOU_THRESHOLDS))
        num_boxes = np.full(len(IOU_THRESHOLDS), float(num_true))
        for matches in image:
            is_shown = matches.shown(self._score_threshold)
            num_hits += (matches.is_hit & is_shown).sum(axis=1)
            num_boxes += (matches.is_counted & is_shown).sum(axis=1)
        f1 = np.divide(2 * num_hits, num_boxes, out=np.ones_like(num_hits), where=num_boxes > 0)
        return float(f1.mean())

    def _true_boxes(self) -> NDArray[np.int64]:
        """Return the number of true boxes by image and class, ``[n, C]``."""
        return np.array(self._num_boxes, np.int64).reshape(-1, len(self._classes))

    def _precisions(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the average precision by class and IoU threshold, ``[C, T]``."""
        num_boxes = counts @ self._true_boxes()
        rows = [
            coco_average_precision(
                matches.is_hit, matches.is_counted, counts[matches.images], int(num_true)
            )
            for matches, num_true in zip(self._by_class(), num_boxes, strict=True)
        ]
        return np.array(rows)

    def _by_class(self) -> list[_Matches]:
        """Return the matches of all images by class."""
        if self._joined is None:
            self._joined = [_join(images) for images in self._matches]
        return self._joined


def _join(images: Sequence[_Matches]) -> _Matches:
    """Return the matches of one class in several images, by descending score."""
    none = np.zeros((len(IOU_THRESHOLDS), 0), np.bool_)
    scores = np.concatenate([np.zeros(0, np.float32), *(image.scores for image in images)])
    order = np.argsort(-scores, kind="stable")
    return _Matches(
        scores[order],
        np.concatenate([np.zeros(0, np.int64), *(image.images for image in images)])[order],
        np.hstack([none, *(image.is_hit for image in images)])[:, order],
        np.hstack([none, *(image.is_counted for image in images)])[:, order],
    )
