"""Accuracy and F1 for one class an image, mean average precision for several."""

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
    """``accuracy`` over images, and ``f1`` averaged over the classes that occur.

    A class that is neither true nor predicted anywhere has no F1 and is left out.
    """

    def __init__(self, classes: int) -> None:
        self._metrics = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(classes, average="micro"),
                "f1": MulticlassF1Score(classes, average="macro"),
            }
        )
        self._seen = 0

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Logits ``[n, C]`` and classes ``[n]``."""
        logits = outputs["logits"].detach()
        self._metrics.to(logits.device).update(logits, targets)
        self._seen += len(logits)

    def compute(self) -> dict[str, float]:
        """Both metrics; NaN where no image was seen."""
        if not self._seen:
            return {"accuracy": math.nan, "f1": math.nan}
        return {name: float(value) for name, value in self._metrics.compute().items()}


class CategoriesMeter:
    """``mAP``: average precision a class, averaged over the classes that are true somewhere."""

    def __init__(self) -> None:
        self._logits: list[Tensor] = []
        self._truth: list[Tensor] = []

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Logits ``[n, C]`` and zeros and ones ``[n, C]``."""
        self._logits.append(outputs["logits"].detach().float().cpu())
        self._truth.append(cast("Tensor", targets).long().cpu())

    def compute(self) -> dict[str, float]:
        """The metric; NaN where no class was true of any image."""
        if not self._logits:
            return {"mAP": math.nan}
        scores, truth = torch.cat(self._logits).sigmoid(), torch.cat(self._truth)
        found = [
            float(binary_average_precision(scores[:, at], truth[:, at]))
            for at in range(truth.shape[1])
            if truth[:, at].any()
        ]
        return {"mAP": sum(found) / len(found) if found else math.nan}
