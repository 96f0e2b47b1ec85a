"""Meter: COCO mean average precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import batched_nms, box_iou

from mtlsearch.plugin import BoxTargets, Outputs, TargetValues

from ._predict import predict
from ._subsets import SubsetEvaluation

MIN_SCORE = 0.01
"""Smallest score that counts; average precision also depends on predictions of low score."""

MAX_CANDIDATES = 1000
"""Number of boxes per image, by score, that enter non-maximum suppression."""


class DetectionMeter:
    """Meter of ``mAP`` (IoU 0.5 to 0.95) and ``mAP50``, over the classes with a true box.

    As in COCO, the best hundred boxes per image and class count, and predictions in crowd
    regions are ignored.

    Args:
        classes: class names by index.
        iou_threshold: IoU above which the box of lower score is removed, 0 to 1.
        vote_threshold: IoU above which boxes are averaged into the box that is kept, 0 to 1.
        max_detections: largest number of boxes per image, by score.
    """

    def __init__(
        self,
        classes: Sequence[str],
        *,
        iou_threshold: float,
        vote_threshold: float,
        max_detections: int,
    ) -> None:
        self._classes = classes
        self._iou_threshold = iou_threshold
        self._vote_threshold = vote_threshold
        self._max_detections = max_detections
        self._metric = _coco_metric()
        self._detections: list[dict[str, Tensor]] = []
        self._truth: list[dict[str, Tensor]] = []
        self._num_boxes = 0
        self._subsets: SubsetEvaluation | None = None

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add outputs of the head and a tuple of true boxes."""
        truth = cast("tuple[BoxTargets, ...]", targets)
        tensors = {name: value.detach().cpu() for name, value in predict(outputs).items()}
        detections = [
            self._suppressed(boxes, scores)
            for boxes, scores in zip(tensors["boxes"], tensors["scores"], strict=True)
        ]
        self.add(detections, truth)

    def add(self, detections: list[dict[str, Tensor]], truth: tuple[BoxTargets, ...]) -> None:
        """Add the final boxes, scores and labels of some images, and their true boxes."""
        true_boxes = [_true_boxes(boxes) for boxes in truth]
        self._metric.update(detections, true_boxes)
        self._detections += detections
        self._truth += true_boxes
        self._num_boxes += sum(int((~boxes.crowd).sum()) for boxes in truth)
        self._subsets = None

    def compute(self) -> dict[str, float]:
        """Return both metrics; NaN without true boxes."""
        if not self._num_boxes:
            return {"mAP": math.nan, "mAP50": math.nan}
        result = self._metric.compute()
        return {"mAP": float(result["map"]), "mAP50": float(result["map_50"])}

    def compute_subset(self, images: Sequence[int]) -> dict[str, float]:
        """Return both metrics of some of the images."""
        if not self._num_boxes:
            return {"mAP": math.nan, "mAP50": math.nan}
        if self._subsets is None:
            self._subsets = SubsetEvaluation(self._detections, self._truth, len(self._classes))
        return self._subsets.compute(images)

    def per_class(self) -> dict[str, dict[str, float]]:
        """Return AP and AP50 of each class; NaN for a class without true boxes."""
        if not self._num_boxes:
            return {}
        metric = _coco_metric(extended_summary=True)
        metric.update(self._detections, self._truth)
        result = metric.compute()
        # [IoU, recall, class, area, limit]: all areas, the largest number of detections.
        precision = result["precision"][:, :, :, 0, -1]
        scores: dict[str, dict[str, float]] = {
            name: dict.fromkeys(self._classes, math.nan) for name in ("AP", "AP50")
        }
        for row, index in enumerate(result["classes"].reshape(-1).tolist()):
            values = precision[:, :, row].double()
            if (values >= 0).any():  # -1: the class has no true box
                scores["AP"][self._classes[index]] = float(values.mean())
                scores["AP50"][self._classes[index]] = float(values[0].mean())
        return scores

    def _suppressed(self, boxes: Tensor, scores: Tensor) -> dict[str, Tensor]:
        """Return the boxes of one image after suppression and voting per class."""
        rows, classes = torch.nonzero(scores >= MIN_SCORE, as_tuple=True)
        values = scores[rows, classes]
        best = values.argsort(descending=True, stable=True)[:MAX_CANDIDATES]
        rows, classes, values = rows[best], classes[best], values[best]
        kept = batched_nms(boxes[rows], values, classes, self._iou_threshold)
        kept = kept[: self._max_detections]
        voted = _voted(boxes[rows], values, classes, kept, self._vote_threshold)
        return {"boxes": voted, "scores": values[kept], "labels": classes[kept]}


def _voted(
    boxes: Tensor, scores: Tensor, classes: Tensor, kept: Tensor, iou_threshold: float
) -> Tensor:
    """Return each kept box as the mean of the boxes that overlap it, weighted by score."""
    counts = box_iou(boxes[kept], boxes).double() > iou_threshold  # as bundles compare
    counts &= classes[kept][:, None] == classes
    counts[torch.arange(len(kept)), kept] = True  # a box without area has no IoU with itself
    weights = counts * scores
    voted: Tensor = weights @ boxes / weights.sum(1, keepdim=True)
    return voted


def _coco_metric(*, extended_summary: bool = False) -> MeanAveragePrecision:
    metric = MeanAveragePrecision(backend="faster_coco_eval", extended_summary=extended_summary)
    metric.warn_on_many_detections = False
    return metric


def _true_boxes(boxes: BoxTargets) -> dict[str, Tensor]:
    return {
        "boxes": boxes.xyxy.float().cpu(),
        "labels": boxes.classes.cpu(),
        "iscrowd": boxes.crowd.long().cpu(),
    }
