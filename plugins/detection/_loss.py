"""Detection loss of the assigned points."""

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
    outputs: Outputs, targets: tuple[BoxTargets, ...], *, max_points: int, box_weight: float
) -> Tensor:
    """Return the quality focal loss of the scores plus the weighted GIoU loss of the boxes.

    Li et al. 2020, "Generalized Focal Loss", Equation 2; Rezatofighi et al. 2019, "Generalized
    Intersection over Union". Both are divided by the sum of the targets of an image, so that
    every image has the same weight. An image without boxes has only the loss of the scores.
    Points in crowd regions that are not assigned to a box are ignored.

    Args:
        outputs: outputs of the head for n images.
        targets: true boxes of the images.
        max_points: largest number of points per box.
        box_weight: weight of the GIoU loss.

    Returns:
        One loss per image, ``[n]``.
    """
    logits, grid = outputs["logits"].float(), outputs["grid"].float()
    boxes = to_boxes(outputs["raw_boxes"], grid)
    truth = PaddedBoxes.of(targets, crowd=False)
    assigned = assign(logits.sigmoid(), boxes, grid, truth, max_points=max_points)
    target_scores = _target_scores(logits, truth, assigned)
    in_crowd = _is_covered(grid, PaddedBoxes.of(targets, crowd=True)) & ~assigned.positive
    score_losses = _quality_focal(logits, target_scores).sum(2).where(~in_crowd, 0.0).sum(1)
    box_losses = (_giou_loss(boxes, truth, assigned) * assigned.share).sum(1)
    score_loss = score_losses / assigned.quality.sum(1).clamp(min=1)
    return score_loss + box_weight * box_losses / assigned.share.sum(1).clamp(min=1e-6)


def _target_scores(logits: Tensor, truth: PaddedBoxes, assigned: Assignment) -> Tensor:
    """Return the target score of every point and class, ``[n, N, C]``."""
    classes = truth.classes.gather(1, assigned.box)
    scores = torch.zeros_like(logits)
    return scores.scatter_(2, classes[..., None], assigned.quality[..., None])


def _quality_focal(logits: Tensor, target_scores: Tensor) -> Tensor:
    """Return the cross-entropy with soft targets, times the squared error of the score."""
    losses = F.binary_cross_entropy_with_logits(logits, target_scores, reduction="none")
    return losses * (target_scores - logits.sigmoid()).square()


def _giou_loss(boxes: Tensor, truth: PaddedBoxes, assigned: Assignment) -> Tensor:
    """Return ``1 - GIoU`` of every assigned point, ``[n, N]``; 0 elsewhere."""
    true_boxes = truth.xyxy.gather(1, assigned.box[..., None].expand(-1, -1, 4))
    losses = torch.zeros_like(boxes[..., 0])
    positive = assigned.positive
    losses[positive] = generalized_box_iou_loss(boxes[positive], true_boxes[positive])
    return losses


def _is_covered(grid: Tensor, regions: PaddedBoxes) -> Tensor:
    """Return bool ``[n, N]``: points in any of the regions."""
    points, xyxy = grid[:, :, None, :2], regions.xyxy[:, None]
    is_inside = ((points >= xyxy[..., :2]) & (points <= xyxy[..., 2:])).all(-1)
    return (is_inside & regions.real[:, None]).any(2)
