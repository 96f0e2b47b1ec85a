"""The task kind ``depth``: how far away each pixel is.

An example of a package outside mtlsearch: ``docs/writing-a-task.md`` walks through it.
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
    """Options in a run file."""

    channels: PositiveInt = Field(64, description="channels of the decoder")


class DepthHead(nn.Module):
    """All levels to ``{"log_depth": [B, K, H, W]}`` of the image's size."""

    def __init__(self, features: FeatureSpec, maps: int, channels: int) -> None:
        super().__init__()
        self.image_size = features.image_size
        self.pyramid = FeaturePyramid(features, channels, strides=(4,))
        self.refine = conv_block(channels, channels)
        self.measure = nn.Conv2d(channels, maps, 1)

    def forward(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """Merge, refine, measure at stride 4, resize."""
        (merged,) = self.pyramid(levels)
        return {"log_depth": resize(self.measure(self.refine(merged)), self.image_size)}


def is_valid(depth: Tensor) -> Tensor:
    """Where there is a depth: sensors write 0, or nothing finite, where they saw none."""
    return depth.isfinite() & (depth > 0)


def to_depth(log_depth: Tensor) -> Tensor:
    """Metres (or the label's unit); between a hundred-millionth and a hundred million."""
    return log_depth.float().clamp(-18, 18).exp()


class DepthMeter:
    """``abs_rel`` and ``delta1``: means over all valid pixels."""

    def __init__(self) -> None:
        self.means = {"abs_rel": MeanMetric(), "delta1": MeanMetric()}

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Log-depths and depths, both ``[n, K, H, W]``."""
        truth = cast("Tensor", targets)
        valid = is_valid(truth)
        true, found = truth[valid], to_depth(outputs["log_depth"].detach())[valid]
        if true.numel():
            ratio = torch.maximum(found / true, true / found)
            self.means["abs_rel"].to(true.device).update((found - true).abs() / true)
            self.means["delta1"].to(true.device).update((ratio < 1.25).float())

    def compute(self) -> dict[str, float]:
        """Both metrics; NaN where no pixel was valid."""
        return {
            name: float(mean.compute()) if mean.update_called else math.nan
            for name, mean in self.means.items()
        }


class Depth(Task[DepthSettings]):
    """A positive number a pixel, such as metres from the camera."""

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
        """Numbers in the label's unit."""
        return OutputSpec(Form.MAP, unit=self.label.unit)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        """A light pyramid decoder."""
        return DepthHead(features, self.label.channels, self.settings.channels)

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        """L1 between logarithms: a mean over each image's valid pixels, then over images."""
        truth = cast("Tensor", targets)
        valid = is_valid(truth)
        error = outputs["log_depth"].float() - truth.where(valid, 1.0).log()
        pixels = valid.sum((1, 2, 3)).clamp(min=1)
        return ((error.abs() * valid).sum((1, 2, 3)) / pixels).mean()

    def meter(self) -> Meter:
        """See :attr:`metrics`."""
        return DepthMeter()

    def predict(self, outputs: Outputs) -> Outputs:
        """``values`` ``[B, K, H, W]``."""
        return {"values": to_depth(outputs["log_depth"])}


@hookimpl
def mtlsearch_tasks() -> list[type[Depth]]:
    """Contribute the task kind ``depth``."""
    return [Depth]
