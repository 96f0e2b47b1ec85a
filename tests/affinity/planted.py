"""Tasks with a given relation, on images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlsearch.models import CutBackbone, MultiTaskNetwork
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Batch, FeatureSpec, Outputs, Settings, Targets, TargetValues, Task
from mtlsearch.training import seeded_heads
from tests.training import images as training_images
from tests.training.fakes import CLASSES
from tests.training.images import PooledGuess


class EqualHeadGuess(PooledGuess):
    """A task whose initial head is equal for all tasks, so that equal labels give equal tasks."""

    def build_head(self, features: FeatureSpec) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            return super().build_head(features)


class OpposedGuess(EqualHeadGuess):
    """A task with the negated loss of the others."""

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        return 3.0 - super().loss(outputs, targets)


def make_tasks(names: str, opposed: str = "") -> dict[str, Task]:
    return {
        name: (OpposedGuess if name in opposed else EqualHeadGuess)(name, Settings(), None)  # type: ignore[arg-type]
        for name in names
    }


@dataclass
class Images(training_images.Images):
    """Images with random classes for the labels in ``noisy``."""

    noisy: str = ""

    def batch(self, indices: list[int]) -> Batch:
        plain = super().batch(indices)
        noise = torch.randint(CLASSES, (self.images,), generator=torch.Generator().manual_seed(3))
        targets = {
            name: Targets(
                target.rows, noise[indices][target.rows] if name in self.noisy else target.values
            )
            for name, target in plain.targets.items()
        }
        return Batch(plain.images, targets)


def build(cut: CutBackbone, tasks: Mapping[str, Task], *, hard: bool = True) -> MultiTaskNetwork:
    make = SharingPlan.hard if hard else SharingPlan.independent
    plan = make(tuple(tasks), len(cut.units))
    return MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 3))
