"""Task-aligned assignment of points to boxes (Feng et al. 2021, "TOOD", Section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

from ._targets import PaddedBoxes

ALPHA = 0.5
"""Exponent of the score in the alignment of a point."""

BETA = 4.0
"""Exponent of the IoU in the alignment of a point."""

RADIUS = 1.5
"""Largest distance of a point from the center of its box along each axis, in strides."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Targets of all N points of ``n`` images.

    Attributes:
        positive: bool ``[n, N]``, whether the point is assigned to a box.
        box: int64 ``[n, N]``, index of that box; 0 without one.
        share: float32 ``[n, N]`` from 0 to 1, alignment relative to the best point of the box.
        quality: float32 ``[n, N]`` from 0 to 1, target score for the class of the box.
    """

    positive: Tensor
    box: Tensor
    share: Tensor
    quality: Tensor


@torch.no_grad()
def assign(
    scores: Tensor, boxes: Tensor, grid: Tensor, truth: PaddedBoxes, *, max_points: int
) -> Assignment:
    """Assign to each true box the points near its center with the best alignment.

    Candidates are points in the box and within :data:`RADIUS` strides of its center (Tian et al.
    2020, "FCOS: A simple and strong anchor-free object detector", Section 3.1). The alignment is
    ``score ** ALPHA * IoU ** BETA``. A point that is selected for several boxes keeps the one
    with the largest IoU. The target score of the best point of a box is the largest IoU of its
    points. That of the others is proportional to their alignment.

    Args:
        scores: class probabilities, ``[n, N, C]``.
        boxes: predicted boxes, ``[n, N, 4]``, xyxy in pixels.
        grid: points and their strides, ``[n, N, 3]``.
        truth: true boxes of the images.
        max_points: largest number of points per box.

    Returns:
        The targets of all points.
    """
    iou = _iou(boxes, truth)
    class_scores = scores.gather(2, truth.classes[:, None].expand(-1, scores.shape[1], -1))
    is_candidate = _is_central(grid, truth.xyxy) & truth.real[:, None]
    alignment = (class_scores**ALPHA * iou**BETA).where(is_candidate, -1.0)
    is_chosen = _is_best(alignment, max_points) & is_candidate
    # A point that is chosen for several boxes keeps the one with the largest IoU.
    box = iou.where(is_chosen, -1.0).argmax(2)
    is_chosen &= torch.zeros_like(is_chosen).scatter_(2, box[..., None], True)
    alignment, iou = alignment.where(is_chosen, 0.0), iou.where(is_chosen, 0.0)
    share = alignment / alignment.amax(1, keepdim=True).clamp(min=1e-12)
    quality = share * iou.amax(1, keepdim=True)
    return Assignment(is_chosen.any(2), box, share.amax(2), quality.amax(2))


def _is_best(alignment: Tensor, max_points: int) -> Tensor:
    """Return bool ``[n, N, M]``: the ``max_points`` best points of each of M boxes."""
    best = alignment.topk(min(max_points, alignment.shape[1]), dim=1).indices
    return torch.zeros_like(alignment, dtype=torch.bool).scatter_(1, best, True)


def _iou(boxes: Tensor, truth: PaddedBoxes) -> Tensor:
    """Return IoU ``[n, N, M]``; 0 with padding."""
    iou: Tensor = box_iou(boxes, truth.xyxy)
    return iou.where(truth.real[:, None], 0.0)


def _is_central(grid: Tensor, xyxy: Tensor) -> Tensor:
    """Return bool ``[n, N, M]``: points in a box, near its center.

    The area of a box smaller than the finest stride is enlarged to one cell of that stride, so
    that every box has a point.
    """
    points, strides = grid[:, :, None, :2], grid[:, :, None, 2:]
    middle, half = (xyxy[..., :2] + xyxy[..., 2:]) / 2, (xyxy[..., 2:] - xyxy[..., :2]) / 2
    half = half.maximum(strides.amin(1) * 0.5)
    limit = half[:, None].minimum(strides * RADIUS)
    return ((points - middle[:, None]).abs() <= limit).all(-1)
