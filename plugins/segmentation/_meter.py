"""Meter: mean intersection over union and pixel accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from mtlsearch.plugin import Outputs, TargetValues, class_scores


class SegmentationMeter:
    """Meter of ``mIoU`` and ``pixel_accuracy`` over the labeled pixels of all images.

    A class that neither occurs nor is predicted at a labeled pixel has no IoU and is excluded
    from the mean. A class that is predicted and does not occur counts as 0. If void has the
    index of a class, that class is excluded too.

    Args:
        classes: class names by index.
        ignore_index: value of void pixels.
    """

    def __init__(self, classes: Sequence[str], ignore_index: int) -> None:
        self._classes = classes
        self._ignore_index = ignore_index
        # Masks are validated when they are read. A second validation would sort every pixel,
        # which takes longer than the metrics.
        self._metrics = MetricCollection(
            {
                "mIoU": MulticlassJaccardIndex(
                    len(classes), average="macro", ignore_index=ignore_index, validate_args=False
                ),
                "pixel_accuracy": MulticlassAccuracy(
                    len(classes), average="micro", ignore_index=ignore_index, validate_args=False
                ),
            }
        )
        self._has_labels = False
        self._counts: list[Tensor] = []  # [n, 3, C]: correct, true and predicted pixels

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add logits ``[n, C, H, W]`` and class indices ``[n, H, W]``."""
        truth, predicted = cast("Tensor", targets), outputs["logits"].argmax(1)
        with _nondeterministic_kernels():
            self._metrics.to(truth.device).update(predicted, truth)
            self._counts.append(self._count(predicted, truth).cpu())
        self._has_labels = self._has_labels or bool(torch.any(truth != self._ignore_index))

    def compute(self) -> dict[str, float]:
        """Return both metrics; NaN without labeled pixels."""
        if not self._has_labels:
            return {"mIoU": math.nan, "pixel_accuracy": math.nan}
        return {name: float(value) for name, value in self._metrics.compute().items()}

    def compute_subset(self, images: Sequence[int]) -> dict[str, float]:
        """Return both metrics of some of the images."""
        if not self._has_labels:
            return {"mIoU": math.nan, "pixel_accuracy": math.nan}
        rows = torch.cat(self._counts)[list(images)]
        correct, true, predicted = rows.sum(0).double()
        if not true.sum():
            return {"mIoU": math.nan, "pixel_accuracy": math.nan}
        union = true + predicted - correct
        is_present = union > 0
        if 0 <= self._ignore_index < len(self._classes):
            is_present[self._ignore_index] = False
        return {
            "mIoU": float((correct[is_present] / union[is_present]).mean()),
            "pixel_accuracy": float(correct.sum() / true.sum()),
        }

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return IoU, accuracy and F1 of each class; NaN for a class that is void."""
        if not self._has_labels:
            return {}
        pixels = cast("Tensor", self._metrics["mIoU"].confmat)
        scores = class_scores(
            self._classes,
            correct=pixels.diagonal().tolist(),
            true=pixels.sum(1).tolist(),
            predicted=pixels.sum(0).tolist(),
        )
        if 0 <= self._ignore_index < len(self._classes):
            void = self._classes[self._ignore_index]
            scores = {metric: {**values, void: math.nan} for metric, values in scores.items()}
        return {metric: scores[metric] for metric in ("IoU", "accuracy", "F1")}

    def _count(self, predicted: Tensor, truth: Tensor) -> Tensor:
        """Return correct, true and predicted pixels by image and class, ``[n, 3, C]``."""
        num_images, size = len(truth), len(self._classes)
        void = torch.full_like(predicted, size)  # one more class, which is dropped
        true = truth.where(truth != self._ignore_index, void).flatten(1)
        shown = predicted.where(truth != self._ignore_index, void).flatten(1)
        offsets = torch.arange(num_images, device=truth.device)[:, None] * (size + 1)
        counts = [
            torch.bincount((offsets + classes).flatten(), minlength=num_images * (size + 1))
            for classes in (true.where(true == shown, size), true, shown)
        ]
        return torch.stack(counts, 1).view(num_images, size + 1, 3)[:, :size].mT


@contextmanager
def _nondeterministic_kernels() -> Iterator[None]:
    """Allow nondeterministic kernels; sums of integers do not depend on the order.

    With deterministic kernels, torchmetrics compares each pixel with every pair of classes.
    """
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
