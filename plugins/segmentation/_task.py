"""The task kind ``segmentation``."""

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

# Torch takes seconds to import, and plugins are also listed: methods import what they need.
if TYPE_CHECKING:
    from torch import Tensor, nn


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
        from ._head import SegmentationHead

        return SegmentationHead(
            features,
            len(self.label.classes),
            channels=self.settings.channels,
            stride=self.settings.stride,
        )

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Cross-entropy and ``dice`` times the Dice loss, each a mean over an image's pixels."""
        from mtlsearch.plugin.layers import class_weights

        from ._loss import cross_entropy, dice

        logits, truth = outputs["logits"].float(), cast("Tensor", targets)
        ignore, where = self.label.ignore_index, f"task {self.name}, class_weights"
        weight = class_weights(self.settings.class_weights, self.label, where=where)
        weight = None if weight is None else weight.to(logits.device)
        losses = cross_entropy(logits, truth, ignore_index=ignore, weight=weight)
        if self.settings.dice:
            losses = losses + self.settings.dice * dice(logits, truth, ignore_index=ignore)
        return losses.mean()

    def meter(self) -> Meter:
        """See :attr:`metrics`."""
        from ._meter import SegmentationMeter

        return SegmentationMeter(len(self.label.classes), self.label.ignore_index)

    def predict(self, outputs: Outputs) -> Outputs:
        """``scores`` ``[B, C, H, W]``: the logits."""
        return {"scores": outputs["logits"].float()}


@hookimpl
def mtlsearch_tasks() -> list[type[Segmentation]]:
    """Contribute the task kind ``segmentation``."""
    return [Segmentation]
