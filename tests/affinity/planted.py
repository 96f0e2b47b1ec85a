"""Tasks whose relations are known, on pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlsearch.models import CutBackbone, MultiTaskNetwork
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Batch, FeatureSpec, Outputs, Settings, Targets, TargetValues, Task
from mtlsearch.training import seeded_heads
from tests.training import pictures
from tests.training.fakes import CLASSES
from tests.training.pictures import PooledGuess


class AlikeGuess(PooledGuess):
    """Has the same head for every task, so that tasks with the same labels are the same task."""

    def build_head(self, features: FeatureSpec) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            return super().build_head(features)


class Opposed(AlikeGuess):
    """Wants the opposite of what the others want."""

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        return 3.0 - super().loss(outputs, targets)


def make_tasks(names: str, opposed: str = "") -> dict[str, Task]:
    return {
        name: (Opposed if name in opposed else AlikeGuess)(name, Settings(), None)  # type: ignore[arg-type]
        for name in names
    }


@dataclass
class Pictures(pictures.Pictures):
    """Pictures; labels named in ``noisy`` are drawn by chance."""

    noisy: str = ""

    def batch(self, numbers: list[int]) -> Batch:
        plain = super().batch(numbers)
        chance = torch.randint(CLASSES, (self.images,), generator=torch.Generator().manual_seed(3))
        targets = {
            name: Targets(at.rows, chance[numbers][at.rows] if name in self.noisy else at.values)
            for name, at in plain.targets.items()
        }
        return Batch(plain.images, targets)


def build(cut: CutBackbone, tasks: Mapping[str, Task], *, hard: bool = True) -> MultiTaskNetwork:
    make = SharingPlan.hard if hard else SharingPlan.independent
    plan = make(tuple(tasks), len(cut.units))
    return MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 3))
