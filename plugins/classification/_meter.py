"""Meters: accuracy and F1 for one class per image, mAP for several, and the likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score
from torchmetrics.functional.classification import (
    binary_average_precision,
    multiclass_accuracy,
    multiclass_f1_score,
)

from mtlsearch.plugin import Outputs, TargetValues, class_scores


class CategoryMeter:
    """Meter of ``accuracy`` and ``nll`` over images, and of ``f1``, averaged over classes.

    A class that neither occurs nor is predicted has no F1 and is excluded. ``nll`` is the mean
    negative logarithm of the probability of the true class.

    Args:
        classes: class names by index.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._metrics = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(len(classes), average="micro"),
                "f1": MulticlassF1Score(len(classes), average="macro"),
            }
        )
        self._losses: list[Tensor] = []
        self._predicted: list[Tensor] = []
        self._truth: list[Tensor] = []

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add logits ``[n, C]`` and class indices ``[n]``."""
        logits, truth = outputs["logits"].detach(), cast("Tensor", targets)
        self._metrics.to(logits.device).update(logits, truth)
        self._losses.append(F.cross_entropy(logits.float(), truth, reduction="none"))
        self._predicted.append(logits.argmax(1))
        self._truth.append(truth)

    def compute(self) -> dict[str, float]:
        """Return all metrics; NaN without images."""
        if not self._losses:
            return {"accuracy": math.nan, "f1": math.nan, "nll": math.nan}
        values = {name: float(value) for name, value in self._metrics.compute().items()}
        return {**values, "nll": float(torch.cat(self._losses).mean())}

    def compute_subset(self, images: Sequence[int]) -> dict[str, float]:
        """Return all metrics of some of the images."""
        if not images:
            return {"accuracy": math.nan, "f1": math.nan, "nll": math.nan}
        predicted, truth, losses = (
            torch.cat(values)[list(images)]
            for values in (self._predicted, self._truth, self._losses)
        )
        size = len(self._classes)
        return {
            "accuracy": float(multiclass_accuracy(predicted, truth, size, average="micro")),
            "f1": float(multiclass_f1_score(predicted, truth, size, average="macro")),
            "nll": float(losses.mean()),
        }

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return accuracy, F1 and IoU of each class."""
        if not self._losses:
            return {}
        counts = cast("MulticlassF1Score", self._metrics["f1"])
        correct, missed, wrong = (
            cast("Tensor", state) for state in (counts.tp, counts.fn, counts.fp)
        )
        return class_scores(
            self._classes,
            correct=correct.tolist(),
            true=(correct + missed).tolist(),
            predicted=(correct + wrong).tolist(),
        )


class CategoriesMeter:
    """Meter of ``mAP``: average precision per class, averaged over the classes that occur.

    ``nll`` is the mean negative logarithm of the probability of the truth over images and classes.

    Args:
        classes: class names by index.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._logits: list[Tensor] = []
        self._truth: list[Tensor] = []

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add logits ``[n, C]`` and targets ``[n, C]`` of zeros and ones."""
        self._logits.append(outputs["logits"].detach().float().cpu())
        self._truth.append(cast("Tensor", targets).long().cpu())

    def compute(self) -> dict[str, float]:
        """Return both metrics; the mAP is NaN if no class occurs, both without images."""
        return self.compute_subset(range(sum(map(len, self._logits))))

    def compute_subset(self, images: Sequence[int]) -> dict[str, float]:
        """Return both metrics of some of the images."""
        if not images:
            return {"mAP": math.nan, "nll": math.nan}
        logits, truth = torch.cat(self._logits)[list(images)], torch.cat(self._truth)[list(images)]
        precisions = [value for value in _precisions(logits, truth) if not math.isnan(value)]
        nll = F.binary_cross_entropy_with_logits(logits, truth.float())
        return {
            "mAP": sum(precisions) / len(precisions) if precisions else math.nan,
            "nll": float(nll),
        }

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return the average precision of each class."""
        if not self._logits:
            return {}
        precisions = _precisions(torch.cat(self._logits), torch.cat(self._truth))
        return {"AP": dict(zip(self._classes, precisions, strict=True))}


def _precisions(logits: Tensor, truth: Tensor) -> list[float]:
    """Return the average precision by class index; NaN for a class that does not occur."""
    scores = logits.sigmoid()
    return [
        float(binary_average_precision(scores[:, index], truth[:, index]))
        if truth[:, index].any()
        else math.nan
        for index in range(truth.shape[1])
    ]
