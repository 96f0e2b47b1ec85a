"""Which points answer for which box (Feng et al. 2021, TOOD: task-aligned assignment)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

from ._targets import PaddedBoxes

ALPHA = 0.5
"""Power of the score in how well a point does."""

BETA = 4.0
"""Power of the overlap in how well a point does."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """What every point of ``n`` images has to say.

    Attributes:
        positive: bool ``[n, N]``, whether it answers for a box.
        box: int64 ``[n, N]``, for which (0 where for none).
        share: float32 ``[n, N]`` in 0..1, how well it does among the points of its box; the
            best has 1.
        quality: float32 ``[n, N]`` in 0..1, the score it should give that box's class.
    """

    positive: Tensor
    box: Tensor
    share: Tensor
    quality: Tensor


@torch.no_grad()
def assign(
    scores: Tensor, boxes: Tensor, grid: Tensor, truth: PaddedBoxes, *, most: int
) -> Assignment:
    """Give each true box the points in it that find it best.

    How well a point does is ``score ** ALPHA * IoU ** BETA``. A point that would answer for
    two boxes does so for the one that it overlaps more. The best point of a box is asked for
    a score as high as the box's best overlap, the others for less in proportion.

    Args:
        scores: ``[n, N, C]`` in 0..1.
        boxes: ``[n, N, 4]``, xyxy in pixels.
        grid: ``[n, N, 3]``, the points and their strides.
        truth: the true boxes.
        most: points a box, at most.
    """
    overlap = _overlaps(boxes, truth)
    own = scores.gather(2, truth.classes[:, None].expand(-1, scores.shape[1], -1))
    candidate = _inside(grid, truth.xyxy) & truth.real[:, None]
    fit = (own**ALPHA * overlap**BETA).where(candidate, -1.0)
    chosen = _best(fit, most) & candidate
    # Of several boxes a point keeps the one it overlaps most.
    box = overlap.where(chosen, -1.0).argmax(2)
    chosen &= torch.zeros_like(chosen).scatter_(2, box[..., None], True)
    fit, overlap = fit.where(chosen, 0.0), overlap.where(chosen, 0.0)
    share = fit / fit.amax(1, keepdim=True).clamp(min=1e-12)
    quality = share * overlap.amax(1, keepdim=True)
    return Assignment(chosen.any(2), box, share.amax(2), quality.amax(2))


def _best(fit: Tensor, most: int) -> Tensor:
    """Bool ``[n, N, M]``: the ``most`` points that fit a box best."""
    best = fit.topk(min(most, fit.shape[1]), dim=1).indices
    return torch.zeros_like(fit, dtype=torch.bool).scatter_(1, best, True)


def _overlaps(boxes: Tensor, truth: PaddedBoxes) -> Tensor:
    """IoU ``[n, N, M]``; 0 against padding."""
    iou: Tensor = box_iou(boxes, truth.xyxy)
    return iou.where(truth.real[:, None], 0.0)


def _inside(grid: Tensor, xyxy: Tensor) -> Tensor:
    """Bool ``[n, N, M]``: points in a box, or within half a cell of the middle of a small one."""
    points, reach = grid[:, :, None, :2], grid[..., 2].amin(1) * 0.5
    middle, half = (xyxy[..., :2] + xyxy[..., 2:]) / 2, (xyxy[..., 2:] - xyxy[..., :2]) / 2
    half = half.maximum(reach[:, None, None])
    return ((points - middle[:, None]).abs() <= half[:, None]).all(-1)
