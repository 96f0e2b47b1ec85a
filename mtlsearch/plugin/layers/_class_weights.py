"""Class weights of a loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from mtlsearch.errors import TrainingError
from mtlsearch.labels import LabelSpec

ClassWeights: TypeAlias = tuple[float, ...] | Literal["balanced"] | None
"""Type of the setting: one number per class, ``"balanced"``, or None for equal weights."""


def class_weights(weights: ClassWeights, label: LabelSpec, *, where: str) -> Tensor | None:
    """Return the class weights that a setting describes.

    ``"balanced"`` weights are proportional to the inverse frequency of a class in the training
    split. They are scaled so that the total weight of all labels does not change. A class that
    does not occur has weight 1.

    Args:
        weights: value of the setting.
        label: specification of the label; ``"balanced"`` needs its ``counts``.
        where: key of the setting, for messages.

    Returns:
        Weights, float32 ``[C]``; None if all classes have equal weight.

    Raises:
        TrainingError: the number of weights is not the number of classes, or the classes were
            not counted.
    """
    if weights is None:
        return None
    if weights == "balanced":
        return torch.tensor(_balanced(label.counts, where))
    if len(weights) != len(label.classes):
        raise TrainingError(
            f"{len(label.classes)} classes need {len(label.classes)} class weights, "
            f"got {len(weights)}",
            where=where,
            next_step=f"set one weight for each of {', '.join(label.classes)}, or 'balanced'",
        )
    return torch.tensor(weights, dtype=torch.float32)


def _balanced(counts: Sequence[int] | None, where: str) -> list[float]:
    """Return the mean count divided by the count of each class."""
    if counts is None:
        raise TrainingError(
            "class weights cannot be balanced, because the classes were not counted",
            where=where,
            next_step="check the data before training, or set one weight per class",
        )
    present = [count for count in counts if count > 0]
    mean = sum(present) / max(1, len(present))
    return [mean / count if count > 0 else 1.0 for count in counts]
