"""COCO metrics of subsets of images, with boxes matched once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from torch import Tensor

ImageBoxes = Mapping[str, Tensor]
"""``boxes`` xyxy ``[N, 4]``, ``labels`` ``[N]`` and ``scores`` or ``iscrowd`` ``[N]``."""

MAX_DETECTIONS = 100
"""Number of boxes per image and class that count, as in COCO."""


class SubsetEvaluation:
    """Average precision of any subset of images.

    torchmetrics converts and matches all boxes again for each subset, which takes ten times as
    long. COCO's matches of one image do not depend on other images, so that faster-coco-eval
    accumulates those of a subset.

    Args:
        detections: predicted boxes by image.
        truth: true boxes by image.
        num_classes: number of classes.
    """

    def __init__(
        self, detections: Sequence[ImageBoxes], truth: Sequence[ImageBoxes], num_classes: int
    ) -> None:
        self._num_images = len(truth)
        self._evaluation = COCOeval_faster(
            _dataset(truth, num_classes),
            _dataset(detections, num_classes),
            iouType="bbox",
            print_function=lambda *_: None,
        )
        params = self._evaluation.params
        params.imgIds, params.catIds = list(range(len(truth))), list(range(num_classes))
        params.areaRng, params.areaRngLbl = params.areaRng[:1], params.areaRngLbl[:1]
        params.maxDets = [MAX_DETECTIONS]
        self._evaluation.separate_eval = True
        self._evaluation.evaluate()
        self._matches = self._evaluation._evalImgs_cpp  # by class and image

    def compute(self, images: Sequence[int]) -> dict[str, float]:
        """Return ``mAP`` and ``mAP50`` of some of the images; NaN without true boxes."""
        self._evaluation._paramsEval.imgIds = list(images)
        self._evaluation._evalImgs_cpp = [
            matches
            for start in range(0, len(self._matches), self._num_images)
            for matches in (self._matches[start + image] for image in images)
        ]
        self._evaluation.accumulate()
        precision = np.asarray(self._evaluation.eval["precision"])  # [IoU, recall, class, 1, 1]
        return {"mAP": _mean(precision), "mAP50": _mean(precision[0])}


def _mean(precision: np.ndarray) -> float:
    """Return the mean over the classes with a true box; the others have -1."""
    values = precision[precision > -1]
    return float(values.mean()) if values.size else math.nan


def _dataset(boxes_by_image: Sequence[ImageBoxes], num_classes: int) -> COCO:
    """Return boxes in COCO's format, in which numbers of boxes start at 1."""
    annotations = [
        {
            "image_id": image,
            "category_id": int(label),
            "bbox": [left, top, right - left, bottom - top],
            "area": (right - left) * (bottom - top),
            "iscrowd": int(is_crowd),
            "score": score,
        }
        for image, boxes in enumerate(boxes_by_image)
        for (left, top, right, bottom), label, is_crowd, score in zip(
            boxes["boxes"].tolist(),
            boxes["labels"].tolist(),
            boxes.get("iscrowd", boxes["labels"] * 0).tolist(),
            boxes.get("scores", boxes["boxes"].new_zeros(len(boxes["boxes"]))).tolist(),
            strict=True,
        )
    ]
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in range(len(boxes_by_image))],
        "categories": [{"id": index} for index in range(num_classes)],
        "annotations": [{"id": number, **item} for number, item in enumerate(annotations, 1)],
    }
    coco.createIndex()
    return coco
