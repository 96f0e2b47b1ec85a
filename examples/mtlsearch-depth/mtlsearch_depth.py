"""Task kind ``depth``: the distance of each pixel.

An example of a third-party package; ``docs/plugins.md`` explains it step by step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torchmetrics import MeanMetric

from mtlsearch.plugin import (
    FeatureSpec,
    Form,
    MapPrediction,
    Meter,
    Metric,
    Outputs,
    OutputSpec,
    Prediction,
    RawLabel,
    Scorer,
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
        self.sums: list[Tensor] = []  # [n, 3]: relative errors, close and valid pixels

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        """Add log-depths and true depths, both ``[n, K, H, W]``."""
        truth = cast("Tensor", targets)
        valid = is_valid(truth)
        true, predicted = truth[valid], to_depth(outputs["log_depth"].detach())[valid]
        error = (predicted - true).abs() / true
        close = (torch.maximum(predicted / true, true / predicted) < 1.25).float()
        if true.numel():
            self.means["abs_rel"].to(true.device).update(error)
            self.means["delta1"].to(true.device).update(close)
        pixels = (error, close, torch.ones_like(true))
        planes = [torch.zeros_like(truth).masked_scatter(valid, values) for values in pixels]
        self.sums.append(torch.stack([plane.sum((1, 2, 3)) for plane in planes], 1).double().cpu())

    def compute(self) -> dict[str, float]:
        """Return both metrics; NaN if no pixel was valid."""
        return {
            name: float(mean.compute()) if mean.update_called else math.nan
            for name, mean in self.means.items()
        }

    def compute_subset(self, images: Sequence[int]) -> dict[str, float]:
        """Return both metrics of some of the images, for their standard errors."""
        error, close, pixels = torch.cat(self.sums)[list(images)].sum(0).tolist()
        if not pixels:
            return {"abs_rel": math.nan, "delta1": math.nan}
        return {"abs_rel": error / pixels, "delta1": close / pixels}


class DepthScorer(Scorer):
    """Scorer of both metrics for ``mtlsearch evaluate``; the quality of an image is -abs_rel."""

    def __init__(self) -> None:
        self.sums: list[tuple[float, float, float]] = []

    def add(self, prediction: Prediction, label: RawLabel) -> None:
        """Add predicted and true depths, both ``[K, H, W]``: sums over the valid pixels."""
        truth = np.asarray(label, np.float64)
        valid = np.isfinite(truth) & (truth > 0)
        true, predicted = truth[valid], cast("MapPrediction", prediction).values[valid]
        ratio = np.maximum(predicted / true, true / predicted)
        errors = np.abs(predicted - true) / true
        self.sums.append((float(errors.sum()), float((ratio < 1.25).sum()), true.size))

    def compute(self, counts: NDArray[np.int64]) -> dict[str, float]:
        """Return both metrics of a resample; NaN if no pixel is valid."""
        errors, close, pixels = (counts @ np.array(self.sums)).tolist()
        if not pixels:
            return {"abs_rel": math.nan, "delta1": math.nan}
        return {"abs_rel": errors / pixels, "delta1": close / pixels}

    def qualities(self) -> list[float]:
        """Return the negative ``abs_rel`` of each image."""
        return [-errors / pixels if pixels else math.nan for errors, _, pixels in self.sums]


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

    def scorer(self) -> Scorer:
        """Return a scorer of :attr:`metrics`."""
        return DepthScorer()

    def predict(self, outputs: Outputs) -> Outputs:
        """Return ``values`` ``[B, K, H, W]``."""
        return {"values": to_depth(outputs["log_depth"])}


@hookimpl
def mtlsearch_tasks() -> list[type[Depth]]:
    """Register the task kind ``depth``."""
    return [Depth]
