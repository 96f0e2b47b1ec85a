"""Meters: accuracy and F1 for one class per image, mean average precision for several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score
from torchmetrics.functional.classification import binary_average_precision

from mtlsearch.plugin import Outputs, TargetValues, class_scores


class CategoryMeter:
    """Meter of ``accuracy`` over images, and of ``f1``, averaged over classes.

    A class that neither occurs nor is predicted has no F1 and is excluded.

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

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return accuracy, F1 and IoU of each class."""
        if not self._num_images:
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
        """Return the metric; NaN if no class occurs."""
        precisions = [value for value in self._precisions() if not math.isnan(value)]
        return {"mAP": sum(precisions) / len(precisions) if precisions else math.nan}

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return the average precision of each class."""
        precisions = self._precisions()
        return {"AP": dict(zip(self._classes, precisions, strict=True))} if precisions else {}

    def _precisions(self) -> list[float]:
        """Return the average precision by class index; NaN for a class that does not occur."""
        if not self._logits:
            return []
        scores, truth = torch.cat(self._logits).sigmoid(), torch.cat(self._truth)
        return [
            float(binary_average_precision(scores[:, index], truth[:, index]))
            if truth[:, index].any()
            else math.nan
            for index in range(truth.shape[1])
        ]
