"""Cross-entropy, over classes or class by class."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def category_loss(
    logits: Tensor, truth: Tensor, *, weight: Tensor | None, smoothing: float
) -> Tensor:
    """Cross-entropy of one class an image.

    Args:
        logits: ``[n, C]``.
        truth: classes ``[n]``.
        weight: a number a class ``[C]``, or None.
        smoothing: part of the target that is spread over all classes.

    Returns:
        ``[n]``.
    """
    return F.cross_entropy(logits, truth, weight, reduction="none", label_smoothing=smoothing)


def categories_loss(
    logits: Tensor, truth: Tensor, *, weight: Tensor | None, smoothing: float
) -> Tensor:
    """Binary cross-entropy, averaged over the classes of an image.

    Args:
        logits: ``[n, C]``.
        truth: zeros and ones ``[n, C]``.
        weight: a number a class ``[C]``, or None.
        smoothing: part of the target that is moved to one half.

    Returns:
        ``[n]``.
    """
    soft = truth.float() * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, soft, weight, reduction="none").mean(1)
