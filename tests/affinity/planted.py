"""Tasks whose relations are known, on pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtlsearch.backbone import CutBackbone
from mtlsearch.network import MultiTaskNetwork
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Batch, FeatureSpec, Outputs, Settings, Targets, TargetValues, Task
from mtlsearch.training import seeded_heads
from tests.training.fakes import CLASSES, Guess, Points


class Pooled(nn.Module):
    """Averages the last level and guesses."""

    def __init__(self, features: FeatureSpec) -> None:
        super().__init__()
        self.linear = nn.Linear(features.levels[-1].channels, CLASSES)

    def forward(self, levels: list[Tensor]) -> dict[str, Tensor]:
        return {"scores": self.linear(levels[-1].mean((2, 3)))}


class PooledGuess(Guess):
    def build_head(self, features: FeatureSpec) -> nn.Module:
        # The same for every task, so that tasks with the same labels are the same task.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            return Pooled(features)


class Opposed(PooledGuess):
    """Wants the opposite of what the others want."""

    def loss(self, outputs: Outputs, targets: TargetValues) -> Tensor:
        return 3.0 - super().loss(outputs, targets)


def make_tasks(names: str, opposed: str = "") -> dict[str, Task]:
    return {
        name: (Opposed if name in opposed else PooledGuess)(name, Settings(), None)  # type: ignore[arg-type]
        for name in names
    }


@dataclass
class Pictures(Points):
    """The points, blown up to 32 x 32 pixels; labels named in ``noisy`` are drawn by chance."""

    noisy: str = ""

    def batch(self, numbers: list[int]) -> Batch:
        plain = super().batch(numbers)
        chance = torch.randint(CLASSES, (self.images,), generator=torch.Generator().manual_seed(3))
        targets = {
            name: Targets(at.rows, chance[numbers][at.rows] if name in self.noisy else at.values)
            for name, at in plain.targets.items()
        }
        images = plain.images.repeat_interleave(8, 2).repeat_interleave(8, 3)
        return Batch(images, targets)

    def eval_batches(self, split: str, batch_size: int) -> Iterator[Batch]:
        yield from super().eval_batches(split, batch_size)


def build(cut: CutBackbone, tasks: Mapping[str, Task], *, hard: bool = True) -> MultiTaskNetwork:
    make = SharingPlan.hard if hard else SharingPlan.independent
    plan = make(tuple(tasks), len(cut.units))
    return MultiTaskNetwork(cut, plan, seeded_heads(tasks, cut.features, 3))
