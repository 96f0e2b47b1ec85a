"""Task kind ``depth``: the distance of each pixel.

An example of a third-party package; ``docs/plugins.md`` explains it step by step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torchmetrics import MeanMetric

from mtlsearch.plugin import (
    FeatureSpec,
    Form,
    Meter,
    Metric,
    Outputs,
    OutputSpec,
    Settings,
    TargetValues,
    Task,
    hookimpl,
)
from mtlsearch.plugin.layers import FeaturePyramid, conv_block, resize


class DepthSettings(Settings):
    """Settings of the task in a run file."""

    channels: PositiveInt = Field(64, description="channels of the decoder")


class DepthHead(nn.Module):
    """Decoder of all feature levels to log-depths ``[B, K, H, W]`` in the size of the image."""

    def __init__(self, features: FeatureSpec, maps: int, channels: int) -> None:
        super().__init__()
        self.image_size = features.image_size
        self.pyramid = FeaturePyramid(features, channels, strides=(4,))
        self.refine = conv_block(channels, channels)
        self.measure = nn.Conv2d(channels, maps, 1)

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return ``{"log_depth": [B, K, H, W]}``."""
        (merged,) = self.pyramid(levels)
        return {"log_depth": resize(self.measure(self.refine(merged)), self.image_size)}


def is_valid(depth: Tensor) -> Tensor:
    """Return where a depth was measured; sensors write 0, NaN or infinity elsewhere."""
    return depth.isfinite() & (depth > 0)


def to_depth(log_depth: Tensor) -> Tensor:
    """Return depths in the label's unit, between exp(-18) and exp(18)."""
    return log_depth.float().clamp(-18, 18).exp()


class DepthMeter:
    """Meter of ``abs_rel`` and ``delta1``, averaged over all valid pixels."""

    def __init__(self) -> None:
        self.means = {"abs_rel": MeanMetric(), "delta1": MeanMetric()}

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add log-depths and true depths, both ``[n, K, H, W]``."""
        truth = cast("Tensor", targets)
        valid = is_valid(truth)
        true, predicted = truth[valid], to_depth(outputs["log_depth"].detach())[valid]
        if true.numel():
            ratio = torch.maximum(predicted / true, true / predicted)
            self.means["abs_rel"].to(true.device).update((predicted - true).abs() / true)
            self.means["delta1"].to(true.device).update((ratio < 1.25).float())

    def compute(self) -> dict[str, float]:
        """Return both metrics; NaN if no pixel was valid."""
        return {
            name: float(mean.compute()) if mean.update_called else math.nan
            for name, mean in self.means.items()
        }


class Depth(Task[DepthSettings]):
    """Task with one positive number per pixel, such as meters from the camera."""

    kind = "depth"
    summary = "how far away each pixel is (mean absolute relative error)"
    accepts = (Form.MAP,)
    Settings = DepthSettings
    metrics = (
        Metric("abs_rel", higher_is_better=False, primary=True, high=math.inf),
        Metric("delta1", higher_is_better=True),
    )

    @property
    def output(self) -> OutputSpec:
        """Maps in the label's unit."""
        return OutputSpec(Form.MAP, unit=self.label.unit)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """Return a light pyramid decoder."""
        return DepthHead(features, self.label.channels, self.settings.channels)

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """Return the L1 error of log-depths: mean over valid pixels, then over images."""
        truth = cast("Tensor", targets)
        valid = is_valid(truth)
        error = outputs["log_depth"].float() - truth.where(valid, 1.0).log()
        pixels = valid.sum((1, 2, 3)).clamp(min=1)
        return ((error.abs() * valid).sum((1, 2, 3)) / pixels).mean()

    def meter(self) -> Meter:
        """Return a meter of :attr:`metrics`."""
        return DepthMeter()

    def predict(self, outputs: Outputs) -> Outputs:
        """Return ``values`` ``[B, K, H, W]``."""
        return {"values": to_depth(outputs["log_depth"])}


@hookimpl
def mtlsearch_tasks() -> list[type[Depth]]:
    """Register the task kind ``depth``."""
    return [Depth]
