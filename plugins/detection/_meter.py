"""COCO mean average precision."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import batched_nms

from mtlsearch.plugin import BoxTargets, Outputs, TargetValues

from ._predict import predict

LEAST = 0.01
"""Scores from here on are counted: average precision wants the unlikely ones as well."""

CANDIDATES = 1000
"""Boxes an image, the best, that are compared with one another."""


class DetectionMeter:
    """``mAP`` (IoU 0.5 to 0.95) and ``mAP50``, over the classes that have a true box.

    The best hundred boxes an image and class count, as in COCO; crowd regions excuse what
    is found in them.

    Args:
        iou_threshold: of two boxes that overlap more, the less likely is dropped.
        max_detections: boxes an image, the best.
    """

    def __init__(self, *, iou_threshold: float, max_detections: int) -> None:
        self._iou_threshold = iou_threshold
        self._max_detections = max_detections
        self._metric = MeanAveragePrecision(backend="faster_coco_eval")
        self._metric.warn_on_many_detections = False
        self._boxes = 0

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """The head's outputs and a tuple of true boxes."""
        truth = cast("tuple[BoxTargets, ...]", targets)
        tensors = {name: value.detach().cpu() for name, value in predict(outputs).items()}
        found = [
            self._found(boxes, scores)
            for boxes, scores in zip(
                *(tensors[name].detach().cpu() for name in ("boxes", "scores")), strict=True
            )
        ]
        self._metric.update(found, [_true(each) for each in truth])
        self._boxes += sum(int((~each.crowd).sum()) for each in truth)

    def compute(self) -> dict[str, float]:
        """Both metrics; NaN where there was no true box."""
        if not self._boxes:
            return {"mAP": math.nan, "mAP50": math.nan}
        result = self._metric.compute()
        return {"mAP": float(result["map"]), "mAP50": float(result["map_50"])}

    def _found(self, boxes: Tensor, scores: Tensor) -> dict[str, Tensor]:
        """One image's boxes after non-maximum suppression, class by class."""
        rows, classes = torch.nonzero(scores >= LEAST, as_tuple=True)
        kept = scores[rows, classes]
        best = kept.argsort(descending=True, stable=True)[:CANDIDATES]
        rows, classes, kept = rows[best], classes[best], kept[best]
        chosen = batched_nms(boxes[rows], kept, classes, self._iou_threshold)
        chosen = chosen[: self._max_detections]
        return {"boxes": boxes[rows[chosen]], "scores": kept[chosen], "labels": classes[chosen]}


def _true(boxes: BoxTargets) -> dict[str, Tensor]:
    return {
        "boxes": boxes.xyxy.float().cpu(),
        "labels": boxes.classes.cpu(),
        "iscrowd": boxes.crowd.long().cpu(),
    }
