"""Task kind ``segmentation``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from mtlsearch.plugin import (
    FeatureSpec,
    Form,
    LabelSpec,
    Meter,
    Metric,
    Outputs,
    OutputSpec,
    TargetValues,
    Task,
    TrainingError,
    hookimpl,
)

from ._settings import SegmentationSettings

# Importing torch takes seconds, and listing plugins does not need it: methods import it.
if TYPE_CHECKING:
    from torch import Tensor, nn


class Segmentation(Task[SegmentationSettings]):
    """Task with one class per pixel.

    Args:
        name: name of the task in the run file.
        settings: options of the task.
        label: label of the form ``mask``.

    Raises:
        TrainingError: the label has fewer than two classes.
    """

    kind = "segmentation"
    summary = "one class per pixel (mean intersection over union)"
    accepts = (Form.MASK,)
    Settings = SegmentationSettings

    def __init__(self, name: str, settings: SegmentationSettings, label: LabelSpec) -> None:
        super().__init__(name, settings, label)
        if len(label.classes) < 2:
            raise TrainingError(
                f"segmentation needs 2 or more classes, got {label.describe()}",
                where=f"task {name}",
                next_step="add the background to the classes of the label",
            )

    @property
    def metrics(self) -> Sequence[Metric]:
        """Mean IoU and pixel accuracy."""
        return (
            Metric("mIoU", higher_is_better=True, primary=True),
            Metric("pixel_accuracy", higher_is_better=True),
        )

    @property
    def output(self) -> OutputSpec:
        """Logits per class and pixel."""
        return OutputSpec(Form.MASK, self.label.classes)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """See :meth:`mtlsearch.plugin.Task.build_head`."""
        from ._head import SegmentationHead

        return SegmentationHead(
            features,
            len(self.label.classes),
            channels=self.settings.channels,
            stride=self.settings.stride,
        )

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Return the cross-entropy plus ``dice`` times the Dice loss.

        Args:
            outputs: ``{"logits": [n, C, H, W]}``.
            targets: class indices, ``[n, H, W]``.

        Returns:
            A scalar: the mean over images of the mean over labeled pixels.
        """
        from mtlsearch.plugin.layers import class_weights

        from ._loss import cross_entropy, dice

        logits, truth = outputs["logits"].float(), cast("Tensor", targets)
        ignore, where = self.label.ignore_index, f"tasks.{self.name}.class_weights"
        weight = class_weights(self.settings.class_weights, self.label, where=where)
        weight = None if weight is None else weight.to(logits.device)
        losses = cross_entropy(
            logits,
            truth,
            ignore_index=ignore,
            weight=weight,
            smoothing=self.settings.label_smoothing,
        )
        if self.settings.dice:
            losses = losses + self.settings.dice * dice(logits, truth, ignore_index=ignore)
        return losses.mean()

    def meter(self) -> Meter:
        """See :meth:`mtlsearch.plugin.Task.meter`."""
        from ._meter import SegmentationMeter

        return SegmentationMeter(self.label.classes, self.label.ignore_index)

    def predict(self, outputs: Outputs) -> Outputs:
        """Return the logits.

        Args:
            outputs: ``{"logits": [B, C, H, W]}``.

        Returns:
            ``{"scores": [B, C, H, W]}``, float32.
        """
        return {"scores": outputs["logits"].float()}


@hookimpl
def mtlsearch_tasks() -> list[type[Segmentation]]:
    """Register the task kind ``segmentation``."""
    return [Segmentation]
