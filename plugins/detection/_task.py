"""Task kind ``detection``."""

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

# Importing torch takes seconds, and listing plugins does not need it: methods import it.
if TYPE_CHECKING:
    from torch import Tensor, nn


class Detection(Task[DetectionSettings]):
    """Task with any number of boxes per image, each with a class.

    Args:
        name: name of the task in the run file.
        settings: options of the task.
        label: label of the form ``boxes``.
    """

    kind = "detection"
    summary = "boxes with classes (COCO mean average precision)"
    accepts = (Form.BOXES,)
    Settings = DetectionSettings

    @property
    def metrics(self) -> Sequence[Metric]:
        """COCO mAP, and mAP at an IoU of 0.5."""
        return (
            Metric("mAP", higher_is_better=True, primary=True),
            Metric("mAP50", higher_is_better=True),
        )

    @property
    def output(self) -> OutputSpec:
        """Boxes and scores before non-maximum suppression."""
        options: dict[str, int | float] = {
            "score_threshold": self.settings.score_threshold,
            "iou_threshold": self.settings.iou_threshold,
            "vote_threshold": self.settings.vote_threshold,
            "max_detections": self.settings.max_detections,
        }
        return OutputSpec(Form.BOXES, self.label.classes, options=options)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """See :meth:`mtlsearch.plugin.Task.build_head`."""
        from ._head import DetectionHead

        return DetectionHead(
            features,
            len(self.label.classes),
            channels=self.settings.channels,
            strides=self.settings.strides,
            depth=self.settings.depth,
        )

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Return the quality focal loss of the scores plus the GIoU loss of the boxes.

        Args:
            outputs: outputs of the head for n images.
            targets: true boxes, one entry per image.

        Returns:
            A scalar: the mean over images.
        """
        from ._loss import detection_loss

        return detection_loss(
            outputs,
            cast("tuple[BoxTargets, ...]", targets),
            max_points=self.settings.positives,
            box_weight=self.settings.box_weight,
        ).mean()

    def meter(self) -> Meter:
        """See :meth:`mtlsearch.plugin.Task.meter`."""
        from ._meter import DetectionMeter

        return DetectionMeter(
            self.label.classes,
            iou_threshold=self.settings.iou_threshold,
            vote_threshold=self.settings.vote_threshold,
            max_detections=self.settings.max_detections,
        )

    def predict(self, outputs: Outputs) -> Outputs:
        """Return boxes and scores at all points.

        Args:
            outputs: outputs of the head for B images.

        Returns:
            ``boxes`` ``[B, N, 4]``, xyxy in pixels, and ``scores`` ``[B, N, C]``; float32.
        """
        from ._predict import predict

        return predict(outputs)


@hookimpl
def mtlsearch_tasks() -> list[type[Detection]]:
    """Register the task kind ``detection``."""
    return [Detection]
