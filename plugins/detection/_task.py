"""The task kind ``detection``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from mtlsearch.plugin import (
    BoxTargets,
    FeatureSpec,
    Form,
    Meter,
    Metric,
    Outputs,
    OutputSpec,
    TargetValues,
    Task,
    hookimpl,
)

from ._settings import DetectionSettings

# Torch takes seconds to import, and plugins are also listed: methods import what they need.
if TYPE_CHECKING:
    from torch import Tensor, nn


class Detection(Task[DetectionSettings]):
    """Any number of boxes, each with a class."""

    kind = "detection"
    summary = "boxes with classes (COCO mean average precision)"
    accepts = (Form.BOXES,)
    Settings = DetectionSettings

    @property
    def metrics(self) -> Sequence[Metric]:
        """COCO's mAP, and at an overlap of one half."""
        return (
            Metric("mAP", higher_is_better=True, primary=True),
            Metric("mAP50", higher_is_better=True),
        )

    @property
    def output(self) -> OutputSpec:
        """Boxes and scores before non-maximum suppression."""
        options = {
            "score_threshold": self.settings.score_threshold,
            "iou_threshold": self.settings.iou_threshold,
            "max_detections": float(self.settings.max_detections),
        }
        return OutputSpec(Form.BOXES, self.label.classes, options=options)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """Two towers on a feature pyramid."""
        from ._head import DetectionHead

        return DetectionHead(
            features,
            len(self.label.classes),
            channels=self.settings.channels,
            strides=self.settings.strides,
            depth=self.settings.depth,
        )

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Quality focal loss of the scores and GIoU of the boxes."""
        from ._loss import detection_loss

        return detection_loss(
            outputs,
            cast("tuple[BoxTargets, ...]", targets),
            most=self.settings.positives,
            box_weight=self.settings.box_weight,
        ).mean()

    def meter(self) -> Meter:
        """See :attr:`metrics`."""
        from ._meter import DetectionMeter

        return DetectionMeter(
            iou_threshold=self.settings.iou_threshold,
            max_detections=self.settings.max_detections,
        )

    def predict(self, outputs: Outputs) -> Outputs:
        """``boxes`` ``[B, N, 4]`` and ``scores`` ``[B, N, C]``."""
        from ._predict import predict

        return predict(outputs)


@hookimpl
def mtlsearch_tasks() -> list[type[Detection]]:
    """Contribute the task kind ``detection``."""
    return [Detection]
