"""Average precision by pycocotools, the oracle of detection."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mtlsearch.labels import Boxes
from mtlsearch.prediction import BoxesPrediction


def coco_average_precisions(
    images: Sequence[tuple[BoxesPrediction, Boxes]], num_classes: int
) -> np.ndarray:
    """Return the AP by IoU threshold and class; -1 without true boxes."""
    annotations, detections = [], []
    for number, (predicted, true) in enumerate(images, start=1):
        for box, index, crowd in zip(true.xyxy, true.classes, true.crowd, strict=True):
            left, top, right, bottom = map(float, box)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(index) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": int(crowd),
                }
            )
        for box, index, score in zip(
            predicted.xyxy, predicted.classes, predicted.scores, strict=True
        ):
            left, top, right, bottom = map(float, box)
            detections.append(
                {
                    "image_id": number,
                    "category_id": int(index) + 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "score": float(score),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        true_boxes = COCO()
        true_boxes.dataset = {
            "info": {},
            "images": [{"id": number} for number in range(1, len(images) + 1)],
            "categories": [{"id": row + 1, "name": str(row)} for row in range(num_classes)],
            "annotations": annotations,
        }
        true_boxes.createIndex()
        evaluation = COCOeval(true_boxes, true_boxes.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision: np.ndarray = evaluation.eval["precision"][:, :, :, 0, -1]
    return precision.mean(axis=1)
