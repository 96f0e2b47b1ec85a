"""Each head overfits eight real photographs.

This shows that labels, resizing, targets, decoding and metrics agree. If any of them is wrong,
the metrics stay low.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from mtlsearch_plugins.classification import Classification
from mtlsearch_plugins.detection import Detection
from mtlsearch_plugins.manifest import Manifest
from mtlsearch_plugins.regression import Regression
from mtlsearch_plugins.segmentation import Segmentation

from mtlsearch.config import DataConfig
from mtlsearch.data import DataModule, open_data
from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Task
from mtlsearch.training import evaluate
from tests.examples.depth_package import load

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

BACKBONE = "test_resnet"
"""A small backbone: a step takes a tenth of a second."""

LABELS: dict[str, dict[str, Any]] = {
    "pennfudan": {
        "pedestrians": {"form": "category", "classes": ["1", "2", "3", "4"]},
        "number": {"form": "number", "column": "pedestrians", "scale": 10, "unit": "%"},
        "boxes": {"form": "boxes", "classes": ["person"]},
        "segmentation": {"form": "mask", "classes": ["background", "person"]},
    },
    "nyuv2": {
        "scene": {"form": "category"},
        "segmentation": {"form": "mask", "classes_file": "segmentation_classes.txt"},
        "depth": {"form": "map", "scale": 10 / 255, "unit": "m"},
    },
}


OPTIONS = {kind: {"channels": 32} for kind in ("detection", "segmentation", "depth")}


def photographs(root: Path, name: str, size: tuple[int, int]) -> DataModule:
    """Return eight training images without augmentation."""
    settings = Manifest.Settings.model_validate({"file": "manifest.csv", "labels": LABELS[name]})
    config = DataConfig.model_validate(
        {
            "sources": {"kind": "manifest"},
            "image_size": size,
            "max_images": 8,
            "augment": {"crop": None, "flip": 0, "jitter": 0},
        }
    )
    source = Manifest(settings, root=root / name, seed=0)
    cut = cut_backbone(BACKBONE, size)
    return open_data([source], config, mean=cut.mean, std=cut.std, seed=0)


class Overfitting:
    """One task on a small backbone with random weights, and its eight photographs."""

    def __init__(self, task: Task[Any], label: str, data: DataModule) -> None:
        self.task, self.label, self.data = task, label, data
        self.batch = next(data.eval_batches("train", 8))
        size = (int(self.batch.images.shape[2]), int(self.batch.images.shape[3]))
        cut = cut_backbone(BACKBONE, size, seed=0)
        torch.manual_seed(0)
        heads = {task.name: task.build_head(cut.features)}
        self.network = MultiTaskNetwork(cut, SharingPlan.hard([task.name], len(cut.units)), heads)

    def measure(self) -> dict[str, float]:
        name = self.task.name
        batches = self.data.eval_batches("train", 8)
        label_by_task = {name: self.label}
        device = torch.device("cpu")
        return evaluate(self.network, {name: self.task}, batches, label_by_task, device)[name]

    def train(self, steps: int, learning_rate: float) -> None:
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: 0.5 + 0.5 * math.cos(math.pi * step / steps)
        )
        self.network.train()
        for _ in range(steps):
            outputs = self.network(self.batch.images)[self.task.name]
            loss = self.task.loss(outputs, self.batch.targets[self.label].values)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            optimizer.step()
            schedule.step()


def overfit(
    kind: type[Task[Any]], label: str, data: DataModule, steps: int, learning_rate: float
) -> dict[str, float]:
    """Train and return the metrics; print them beside those before the training."""
    assert data.check(splits=("train",)).problems == ()
    settings = kind.Settings.model_validate(OPTIONS.get(kind.kind, {}))
    overfitting = Overfitting(kind("it", settings, data.labels[label]), label, data)
    before = overfitting.measure()
    overfitting.train(steps, learning_rate)
    after = overfitting.measure()
    for name, value in after.items():
        print(f"{kind.kind} {name}: {before[name]:.3f} -> {value:.3f}")
    return after


def test_classification_overfits(real_data: Path) -> None:
    data = photographs(real_data, "pennfudan", (64, 64))
    metrics = overfit(Classification, "pedestrians", data, steps=40, learning_rate=2e-3)
    assert metrics["accuracy"] == 1
    assert metrics["f1"] == 1


def test_regression_overfits(real_data: Path) -> None:
    data = photographs(real_data, "pennfudan", (64, 64))
    metrics = overfit(Regression, "number", data, steps=60, learning_rate=2e-3)
    assert metrics["MAE"] < 0.5  # the numbers are 10 to 40
    assert metrics["R2"] > 0.99


def test_detection_overfits(real_data: Path) -> None:
    data = photographs(real_data, "pennfudan", (128, 128))
    metrics = overfit(Detection, "boxes", data, steps=150, learning_rate=1e-3)
    assert metrics["mAP50"] > 0.9  # one missed box gives 0.92
    assert metrics["mAP"] > 0.85


def test_segmentation_overfits(real_data: Path) -> None:
    data = photographs(real_data, "pennfudan", (96, 96))
    metrics = overfit(Segmentation, "segmentation", data, steps=100, learning_rate=2e-3)
    assert metrics["mIoU"] > 0.9
    assert metrics["pixel_accuracy"] > 0.97


def test_segmentation_of_rooms_overfits(real_data: Path) -> None:
    data = photographs(real_data, "nyuv2", (64, 96))
    metrics = overfit(Segmentation, "segmentation", data, steps=100, learning_rate=4e-3)
    assert metrics["mIoU"] > 0.75
    assert metrics["pixel_accuracy"] > 0.9


def test_depth_overfits(real_data: Path) -> None:
    data = photographs(real_data, "nyuv2", (64, 96))
    metrics = overfit(load().Depth, "depth", data, steps=180, learning_rate=2e-3)
    assert metrics["abs_rel"] < 0.05
    assert metrics["delta1"] > 0.95
