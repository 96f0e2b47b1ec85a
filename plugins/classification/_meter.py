"""Meters: accuracy and F1 for one class per image, mean average precision for several."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score
from torchmetrics.functional.classification import binary_average_precision

from mtlsearch.plugin import Outputs, TargetValues


class CategoryMeter:
    """Meter of ``accuracy`` over images, and of ``f1``, averaged over classes.

    A class that neither occurs nor is predicted has no F1 and is excluded.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._metrics = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(classes, average="micro"),
                "f1": MulticlassF1Score(classes, average="macro"),
            }
        )
        self._num_images = 0

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add logits ``[n, C]`` and class indices ``[n]``."""
        logits = outputs["logits"].detach()
        self._metrics.to(logits.device).update(logits, targets)
        self._num_images += len(logits)

    def compute(self) -> dict[str, float]:
        """Return both metrics; NaN without images."""
        if not self._num_images:
            return {"accuracy": math.nan, "f1": math.nan}
        return {name: float(value) for name, value in self._metrics.compute().items()}


class CategoriesMeter:
    """Meter of ``mAP``: average precision per class, averaged over the classes that occur."""

    def __init__(self) -> None:
        self._logits: list[Tensor] = []
        self._truth: list[Tensor] = []

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add logits ``[n, C]`` and targets ``[n, C]`` of zeros and ones."""
        self._logits.append(outputs["logits"].detach().float().cpu())
        self._truth.append(cast("Tensor", targets).long().cpu())

    def compute(self) -> dict[str, float]:
        """Return the metric; NaN if no class occurs."""
        if not self._logits:
            return {"mAP": math.nan}
        scores, truth = torch.cat(self._logits).sigmoid(), torch.cat(self._truth)
        precisions = [
            float(binary_average_precision(scores[:, index], truth[:, index]))
            for index in range(truth.shape[1])
            if truth[:, index].any()
        ]
        return {"mAP": sum(precisions) / len(precisions) if precisions else math.nan}
