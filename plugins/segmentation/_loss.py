"""Cross-entropy and Dice loss over the pixels that are not void."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(
    logits: Tensor,
    truth: Tensor,
    *,
    ignore_index: int,
    weight: Tensor | None,
    smoothing: float = 0.0,
) -> Tensor:
    """Return the cross-entropy, averaged over the labeled pixels of each image.

    Args:
        logits: ``[n, C, H, W]``.
        truth: class indices, ``[n, H, W]``.
        ignore_index: value of void pixels.
        weight: class weights, ``[C]``; None for equal weights.
        smoothing: fraction of the target that is distributed over all classes.

    Returns:
        One loss per image, ``[n]``; 0 without labeled pixels.
    """
    losses = F.cross_entropy(
        logits,
        truth,
        weight,
        ignore_index=ignore_index,
        reduction="none",
        label_smoothing=smoothing,
    )
    num_labeled = (truth != ignore_index).sum((1, 2))
    return losses.sum((1, 2)) / num_labeled.clamp(min=1)


def dice(logits: Tensor, truth: Tensor, *, ignore_index: int) -> Tensor:
    """Return the soft Dice loss, averaged over the classes that occur in each image.

    ``1 - 2 sum(p g) / (sum(p) + sum(g))`` of probabilities ``p`` and one-hot labels ``g``, as in
    Milletari et al. 2016, "V-Net", there with squares in the denominator.

    Args:
        logits: ``[n, C, H, W]``.
        truth: class indices, ``[n, H, W]``.
        ignore_index: value of void pixels.

    Returns:
        One loss per image, ``[n]``; 0 without labeled pixels.
    """
    is_labeled = truth != ignore_index
    indices = truth.where(is_labeled, 0)
    one_hot = F.one_hot(indices, logits.shape[1]).permute(0, 3, 1, 2) * is_labeled[:, None]
    scores = logits.softmax(1) * is_labeled[:, None]
    overlap = 2 * (scores * one_hot).sum((2, 3))
    num_pixels = one_hot.sum((2, 3))
    ratio = overlap / (scores.sum((2, 3)) + num_pixels).clamp(min=1e-6)
    is_present = num_pixels > 0
    return ((1 - ratio) * is_present).sum(1) / is_present.sum(1).clamp(min=1)
