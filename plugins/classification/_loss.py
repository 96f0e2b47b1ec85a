"""Cross-entropy of one class per image, or of several."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def category_loss(
    logits: Tensor, truth: Tensor, *, weight: Tensor | None, smoothing: float
) -> Tensor:
    """Return the cross-entropy of one class per image.

    Args:
        logits: ``[n, C]``.
        truth: class indices, ``[n]``.
        weight: class weights, ``[C]``; None for equal weights.
        smoothing: fraction of the target that is distributed over all classes.

    Returns:
        One loss per image, ``[n]``.
    """
    return F.cross_entropy(logits, truth, weight, reduction="none", label_smoothing=smoothing)


def categories_loss(
    logits: Tensor, truth: Tensor, *, weight: Tensor | None, smoothing: float
) -> Tensor:
    """Return the binary cross-entropy, averaged over classes.

    Args:
        logits: ``[n, C]``.
        truth: 1 for classes of the image, else 0, ``[n, C]``.
        weight: class weights, ``[C]``; None for equal weights.
        smoothing: fraction of the target that is moved to one half.

    Returns:
        One loss per image, ``[n]``.
    """
    target = truth.float() * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, target, weight, reduction="none").mean(1)
