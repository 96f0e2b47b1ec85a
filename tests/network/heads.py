"""Small heads and networks for the tests of this floor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from mtlsearch.backbone import CutBackbone
from mtlsearch.network import MultiTaskNetwork
from mtlsearch.plan import SharingPlan
from mtlsearch.units import FeatureSpec

TASKS = ("boxes", "breed", "outline")


class Mean(nn.Module):
    """The mean of every level, projected to ``{"scores": [B, 3]}``."""

    def __init__(self, features: FeatureSpec) -> None:
        super().__init__()
        self.project = nn.Linear(sum(level.channels for level in features.levels), 3)

    def forward(self, levels: list[Tensor]) -> dict[str, Tensor]:
        pooled = torch.cat([level.mean((2, 3)) for level in levels], dim=1)
        return {"scores": self.project(pooled)}


def head(cut: CutBackbone, seed: int) -> Mean:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Mean(cut.features)


def network(cut: CutBackbone, plan: SharingPlan, *, vary: bool = False) -> MultiTaskNetwork:
    """A network in evaluation mode; with ``vary`` no two copies of a weight are alike."""
    heads = {task: head(cut, seed) for seed, task in enumerate(plan.tasks)}
    built = MultiTaskNetwork(cut, plan, heads).eval()
    if vary:
        disturb(built.parameters(), seed=1)
    return built


def disturb(parameters: Sequence[nn.Parameter], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)


def tree(cut: CutBackbone, *depths: int, tasks: Sequence[str] = TASKS) -> SharingPlan:
    return SharingPlan.from_splits(tasks, depths, len(cut.units))


def middle(cut: CutBackbone) -> SharingPlan:
    """The first task parts after a third of the units, the others after two thirds."""
    units = len(cut.units)
    return tree(cut, units // 3, 2 * units // 3)


def tree_plans(units: int) -> st.SearchStrategy[SharingPlan]:
    depths = st.tuples(st.integers(0, units), st.integers(0, units))
    return st.builds(
        lambda order, at: SharingPlan.from_splits(order, at, units), st.permutations(TASKS), depths
    )


def scores(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        return {task: outputs["scores"] for task, outputs in network(images).items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
