"""The loss of the assigned points, an image at a time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from mtlsearch.plugin import BoxTargets, Outputs

from ._assign import Assignment, assign
from ._grid import to_boxes
from ._targets import PaddedBoxes


def detection_loss(
    outputs: Outputs, targets: tuple[BoxTargets, ...], *, most: int, box_weight: float
) -> Tensor:
    """Quality focal loss (Li et al. 2020) of the scores and GIoU of the boxes.

    Both are divided by what is asked of an image's points, so every image weighs the same;
    one without a box has only the scores' part. Points in crowd regions that answer for no
    box are left out.

    Args:
        outputs: the head's.
        targets: true boxes of ``n`` images.
        most: points a box, at most.
        box_weight: weight of the boxes' part.

    Returns:
        ``[n]``.
    """
    logits, grid = outputs["logits"].float(), outputs["grid"].float()
    boxes = to_boxes(outputs["raw_boxes"], grid)
    truth = PaddedBoxes.of(targets, crowd=False)
    assigned = assign(logits.sigmoid(), boxes, grid, truth, most=most)
    asked = _asked(logits, truth, assigned)
    crowd = _covered(grid, PaddedBoxes.of(targets, crowd=True)) & ~assigned.positive
    scores = _quality_focal(logits, asked).sum(2).where(~crowd, 0.0).sum(1)
    missed = (_giou(boxes, truth, assigned) * assigned.share).sum(1)
    return scores / assigned.quality.sum(1).clamp(min=1) + box_weight * missed / assigned.share.sum(
        1
    ).clamp(min=1e-6)


def _asked(logits: Tensor, truth: PaddedBoxes, assigned: Assignment) -> Tensor:
    """The score asked of every point and class ``[n, N, C]``."""
    classes = truth.classes.gather(1, assigned.box)
    asked = torch.zeros_like(logits)
    return asked.scatter_(2, classes[..., None], assigned.quality[..., None])


def _quality_focal(logits: Tensor, asked: Tensor) -> Tensor:
    """Cross-entropy with a soft target, times how far the score is from it, squared."""
    losses = F.binary_cross_entropy_with_logits(logits, asked, reduction="none")
    return losses * (asked - logits.sigmoid()).square()


def _giou(boxes: Tensor, truth: PaddedBoxes, assigned: Assignment) -> Tensor:
    """``1 - GIoU`` of every positive point ``[n, N]``; 0 elsewhere."""
    true = truth.xyxy.gather(1, assigned.box[..., None].expand(-1, -1, 4))
    losses = torch.zeros_like(boxes[..., 0])
    at = assigned.positive
    losses[at] = generalized_box_iou_loss(boxes[at], true[at])
    return losses


def _covered(grid: Tensor, regions: PaddedBoxes) -> Tensor:
    """Bool ``[n, N]``: points in any of the regions."""
    points, xyxy = grid[:, :, None, :2], regions.xyxy[:, None]
    inside = ((points >= xyxy[..., :2]) & (points <= xyxy[..., 2:])).all(-1)
    return (inside & regions.real[:, None]).any(2)
