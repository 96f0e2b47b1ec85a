"""Mean intersection over union and pixel accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from mtlsearch.plugin import Outputs, TargetValues


class SegmentationMeter:
    """``mIoU`` and ``pixel_accuracy`` over all labelled pixels of all images together.

    A class that is neither true nor predicted at any labelled pixel has no IoU and is left
    out of the mean; one that is predicted and never true counts as 0. Void that has the
    number of a class is left out as well.
    """

    def __init__(self, classes: int, ignore_index: int) -> None:
        self._ignore_index = ignore_index
        # What masks hold was validated when they were read; sorting every pixel takes longer
        # than all the rest.
        self._metrics = MetricCollection(
            {
                "mIoU": MulticlassJaccardIndex(
                    classes, average="macro", ignore_index=ignore_index, validate_args=False
                ),
                "pixel_accuracy": MulticlassAccuracy(
                    classes, average="micro", ignore_index=ignore_index, validate_args=False
                ),
            }
        )
        self._seen = False

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Logits ``[n, C, H, W]`` and classes ``[n, H, W]``."""
        truth = cast("Tensor", targets)
        with _in_any_order():
            self._metrics.to(truth.device).update(outputs["logits"].argmax(1), truth)
        self._seen = self._seen or bool(torch.any(truth != self._ignore_index))

    def compute(self) -> dict[str, float]:
        """Both metrics; NaN where no pixel was labelled."""
        if not self._seen:
            return {"mIoU": math.nan, "pixel_accuracy": math.nan}
        return {name: float(value) for name, value in self._metrics.compute().items()}


@contextmanager
def _in_any_order() -> Iterator[None]:
    """Count with whatever kernels are fast: whole numbers add up to the same in any order.

    Where deterministic ones are asked for, torchmetrics counts a pixel by comparing it with
    every pair of classes.
    """
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
