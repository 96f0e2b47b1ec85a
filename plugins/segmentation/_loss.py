"""Cross-entropy and Dice over the pixels that are not void."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(
    logits: Tensor, truth: Tensor, *, ignore_index: int, weight: Tensor | None
) -> Tensor:
    """Mean over each image's labelled pixels; 0 where an image has none.

    Args:
        logits: ``[n, C, H, W]``.
        truth: classes ``[n, H, W]``.
        ignore_index: the value of void pixels.
        weight: a number a class ``[C]``, or None.

    Returns:
        ``[n]``.
    """
    losses = F.cross_entropy(logits, truth, weight, ignore_index=ignore_index, reduction="none")
    labelled = (truth != ignore_index).sum((1, 2))
    return losses.sum((1, 2)) / labelled.clamp(min=1)


def dice(logits: Tensor, truth: Tensor, *, ignore_index: int) -> Tensor:
    """One minus the soft Dice overlap (Milletari et al. 2016), averaged over classes present.

    Args:
        logits: ``[n, C, H, W]``.
        truth: classes ``[n, H, W]``.
        ignore_index: the value of void pixels.

    Returns:
        ``[n]``; 0 for an image without a labelled pixel.
    """
    labelled = truth != ignore_index
    known = truth.where(labelled, 0)
    hot = F.one_hot(known, logits.shape[1]).permute(0, 3, 1, 2) * labelled[:, None]
    scores = logits.softmax(1) * labelled[:, None]
    overlap = 2 * (scores * hot).sum((2, 3))
    pixels = hot.sum((2, 3))
    share = overlap / (scores.sum((2, 3)) + pixels).clamp(min=1e-6)
    present = pixels > 0
    return ((1 - share) * present).sum(1) / present.sum(1).clamp(min=1)
