"""Weights of classes in a loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from mtlsearch.errors import TrainingError
from mtlsearch.labels import LabelSpec

ClassWeights: TypeAlias = tuple[float, ...] | Literal["balanced"] | None
"""As a run file says it: a number a class, ``balanced``, or nothing."""


def class_weights(weights: ClassWeights, label: LabelSpec, *, where: str) -> Tensor | None:
    """Float32 ``[C]``, or None where all classes weigh the same.

    ``balanced`` weighs a class by one over how often it occurs in the training split, so
    that all classes together weigh what they would have without; classes that never occur
    weigh 1.

    Args:
        weights: the setting.
        label: the label, whose ``counts`` balance it.
        where: the setting's place, for messages.

    Raises:
        TrainingError: another number of weights than of classes, or ``balanced`` although
            nobody has counted.
    """
    if weights is None:
        return None
    if weights == "balanced":
        return torch.tensor(_balanced(label.counts, where))
    if len(weights) != len(label.classes):
        raise TrainingError(
            f"{len(weights)} class weights for {len(label.classes)} classes",
            where=where,
            next_step=f"give one for each of {', '.join(label.classes)}, or 'balanced'",
        )
    return torch.tensor(weights, dtype=torch.float32)


def _balanced(counts: Sequence[int] | None, where: str) -> list[float]:
    if counts is None:
        raise TrainingError(
            "class weights cannot be balanced, since the classes have not been counted",
            where=where,
            next_step="check the data before training, or write the weights out, one a class",
        )
    present = [count for count in counts if count > 0]
    fair = sum(present) / max(1, len(present))
    return [fair / count if count > 0 else 1.0 for count in counts]
