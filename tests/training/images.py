"""Images, tasks that classify them, and a multi-task network."""

from __future__ import annotations

from torch import Tensor, nn

from mtlsearch.models import CutBackbone, MultiTaskNetwork
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Batch, FeatureSpec, Task
from mtlsearch.training import seeded_heads
from tests.training.fakes import CLASSES, Guess, Points

TASKS = ("a", "b")


class Pooled(nn.Module):
    """Head that averages the last feature level over positions and classifies it."""

    def __init__(self, features: FeatureSpec) -> None:
        super().__init__()
        self.linear = nn.Linear(features.levels[-1].channels, CLASSES)

    def forward(self, levels: list[Tensor]) -> dict[str, Tensor]:
        return {"scores": self.linear(levels[-1].mean((2, 3)))}


class PooledGuess(Guess):
    def build_head(self, features: FeatureSpec) -> nn.Module:
        return Pooled(features)


class Images(Points):
    """Points, enlarged to 32 x 32 pixels."""

    def batch(self, indices: list[int]) -> Batch:
        plain = super().batch(indices)
        return Batch(plain.images.repeat_interleave(8, 2).repeat_interleave(8, 3), plain.targets)


def tasks(*names: str) -> dict[str, Task]:
    return {name: PooledGuess(name, Guess.Settings(), None) for name in names}  # type: ignore[arg-type]


def build(cut: CutBackbone, plan: SharingPlan) -> MultiTaskNetwork:
    return MultiTaskNetwork(cut, plan, seeded_heads(tasks(*plan.tasks), cut.features, 3))
