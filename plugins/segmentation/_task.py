"""The task kind ``segmentation``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

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
from mtlsearch.plugin.layers import class_weights

from ._head import SegmentationHead
from ._loss import cross_entropy, dice
from ._meter import SegmentationMeter
from ._settings import SegmentationSettings


class Segmentation(Task[SegmentationSettings]):
    """One class a pixel.

    Raises:
        TrainingError: the label has fewer than two classes.
    """

    kind = "segmentation"
    summary = "one class a pixel (mean intersection over union)"
    accepts = (Form.MASK,)
    Settings = SegmentationSettings

    def __init__(self, name: str, settings: SegmentationSettings, label: LabelSpec) -> None:
        super().__init__(name, settings, label)
        if len(label.classes) < 2:
            raise TrainingError(
                f"there is nothing to tell apart in {label.describe()}",
                where=f"task {name}",
                next_step="name the background as a class of its own",
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
        """Logits a class and pixel."""
        return OutputSpec(Form.MASK, self.label.classes)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """A light pyramid decoder."""
        return SegmentationHead(
            features,
            len(self.label.classes),
            channels=self.settings.channels,
            stride=self.settings.stride,
        )

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Cross-entropy and ``dice`` times the Dice loss, each a mean over an image's pixels."""
        logits, truth = outputs["logits"].float(), cast("Tensor", targets)
        ignore = self.label.ignore_index
        weight = class_weights(
            self.settings.class_weights, self.label, where=f"task {self.name}, class_weights"
        )
        weight = None if weight is None else weight.to(logits.device)
        losses = cross_entropy(logits, truth, ignore_index=ignore, weight=weight)
        if self.settings.dice:
            losses = losses + self.settings.dice * dice(logits, truth, ignore_index=ignore)
        return losses.mean()

    def meter(self) -> Meter:
        """See :attr:`metrics`."""
        return SegmentationMeter(len(self.label.classes), self.label.ignore_index)

    def predict(self, outputs: Outputs) -> Outputs:
        """``scores`` ``[B, C, H, W]``: the logits."""
        return {"scores": outputs["logits"].float()}


@hookimpl
def mtlsearch_tasks() -> list[type[Segmentation]]:
    """Contribute the task kind ``segmentation``."""
    return [Segmentation]
