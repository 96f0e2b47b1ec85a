"""Meter of mean absolute error and R2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torchmetrics.functional.regression import mean_absolute_error, r2_score

from mtlsearch.plugin import Outputs, TargetValues


class NumberMeter:
    """Meter of ``MAE`` in the label's unit, and of ``R2``.

    R2 is 1 minus the mean squared error divided by the variance of the labels. It is undefined if
    all labels are equal.
    """

    def __init__(self) -> None:
        self._predicted: list[Tensor] = []
        self._truth: list[Tensor] = []

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add predicted and true numbers, both ``[n]``."""
        # In float32, sums of squares lose numbers such as years.
        self._predicted.append(outputs["value"].detach().cpu().double())
        self._truth.append(cast("Tensor", targets).detach().cpu().double())

    def compute(self) -> dict[str, float]:
        """Return both metrics; NaN without images."""
        if not self._truth:
            return {"MAE": math.nan, "R2": math.nan}
        return _compute(torch.cat(self._predicted), torch.cat(self._truth))

    def compute_subset(self, images: Sequence[int]) -> dict[str, float]:
        """Return both metrics of some of the images."""
        if not images:
            return {"MAE": math.nan, "R2": math.nan}
        rows = list(images)
        return _compute(torch.cat(self._predicted)[rows], torch.cat(self._truth)[rows])


def _compute(predicted: Tensor, truth: Tensor) -> dict[str, float]:
    error = float(mean_absolute_error(predicted, truth))
    if bool((truth == truth[0]).all()):
        return {"MAE": error, "R2": math.nan}
    # torchmetrics takes a variance below 1e-8 for 0.
    center, scale = truth.mean(), truth.std()
    scaled = (predicted - center) / scale, (truth - center) / scale
    return {"MAE": error, "R2": float(r2_score(*scaled))}
