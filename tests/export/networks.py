"""Small untrained networks of three tasks, with random BatchNorm statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mtlsearch.models import MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import (
    FeatureSpec,
    Form,
    LabelSpec,
    Meter,
    Metric,
    Outputs,
    OutputSpec,
    Settings,
    TargetValues,
    Task,
)

SIZE = (64, 64)
CLASSES = ("cat", "dog", "hare")


class Linear(nn.Module):
    """Head that maps one feature level ``[B, C, h, w]`` to ``[B, out, h, w]``."""

    def __init__(self, features: FeatureSpec, level: int, out: int) -> None:
        super().__init__()
        self.level = level
        self.project = nn.Conv2d(features.levels[level].channels, out, 1)

    def forward(self, levels: list[Tensor]) -> dict[str, Tensor]:
        return {"raw": self.project(levels[self.level])}


class SmallTask(Task):
    summary = "for tests"
    metrics = (Metric("score", higher_is_better=True, primary=True),)
    form: Form

    def __init__(self, name: str) -> None:
        super().__init__(name, Settings(), LabelSpec(self.form, classes=CLASSES))

    @property
    def output(self) -> OutputSpec:
        return OutputSpec(self.form, CLASSES, options={"score_threshold": 0.3})

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        return outputs["raw"].square().mean()

    def meter(self) -> Meter:
        raise RuntimeError("not measured here")


class Category(SmallTask):
    kind, form, accepts = "small-category", Form.CATEGORY, (Form.CATEGORY,)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        return Linear(features, -1, 3)

    def predict(self, outputs: Outputs) -> Outputs:
        return {"scores": outputs["raw"].mean((2, 3)).softmax(1)}


class Mask(SmallTask):
    kind, form, accepts = "small-mask", Form.MASK, (Form.MASK,)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        return Linear(features, 0, 3)

    def predict(self, outputs: Outputs) -> Outputs:
        return {"scores": nn.functional.interpolate(outputs["raw"], SIZE, mode="bilinear")}


class Boxes(SmallTask):
    kind, form, accepts = "small-boxes", Form.BOXES, (Form.BOXES,)

    def build_head(self, features: FeatureSpec) -> nn.Module:
        return Linear(features, 1, 7)

    def predict(self, outputs: Outputs) -> Outputs:
        raw = outputs["raw"].flatten(2).transpose(1, 2)
        near, far = 32 - raw[..., :2].exp(), 32 + raw[..., 2:4].exp()
        return {"boxes": torch.cat([near, far], -1), "scores": raw[..., 4:].sigmoid()}


TASKS: dict[str, type[SmallTask]] = {"boxes": Boxes, "breed": Category, "outline": Mask}


def tasks(**replacements: SmallTask) -> dict[str, SmallTask]:
    return {name: kind(name) for name, kind in TASKS.items()} | replacements


def tree(tasks: Sequence[str], units: int) -> SharingPlan:
    return SharingPlan.from_splits(sorted(tasks), [1, units - 1], units)


def rejoining(tasks: Sequence[str], units: int) -> SharingPlan:
    """Return a plan where the first task skips unit 1 and has its own copy of unit 2."""
    first, *others = sorted(tasks)
    plan = SharingPlan.from_groups(
        [[first], others] if unit == 2 else [list(tasks)] for unit in range(units)
    )
    return plan.with_skips({1: [first]}).with_statistics("path")


def network(
    backbone: str,
    tasks: Mapping[str, SmallTask],
    seed: int = 0,
    plan_of: Callable[[Sequence[str], int], SharingPlan] = tree,
) -> MultiTaskNetwork:
    torch.manual_seed(seed)
    cut = cut_backbone(backbone, SIZE)
    plan = plan_of(list(tasks), len(cut.units))
    heads = {name: task.build_head(cut.features) for name, task in tasks.items()}
    network = MultiTaskNetwork(cut, plan, heads)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def images(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, *SIZE, generator=torch.Generator().manual_seed(seed))


def export_arguments(network: MultiTaskNetwork) -> dict[str, Any]:
    """Return the keyword arguments of ``export_bundle``."""
    from mtlsearch.plugin import Candidate

    return {
        "input_size": SIZE,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "plan": network.plan,
        "candidate": Candidate(network.plan),
        "backbone": "small",
        "metrics": {"breed": {"accuracy": 0.5, "f1": float("nan")}},
        "images": images(5),
    }
