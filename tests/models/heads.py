"""Small heads, networks and sharing plans for the tests of models."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from mtlsearch.models import CutBackbone, MultiTaskNetwork
from mtlsearch.plan import FeatureSpec, SharingPlan
from tests.models.families import images

TASKS = ("boxes", "breed", "outline")


class Mean(nn.Module):
    """Head that projects the mean of every level to ``{"scores": [B, 3]}``."""

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
    """Return a network in evaluation mode; with ``vary`` all copies of a weight differ."""
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
    """Return a tree that splits after a third and after two thirds of the units."""
    units = len(cut.units)
    return tree(cut, units // 3, 2 * units // 3)


def tree_plans(units: int) -> st.SearchStrategy[SharingPlan]:
    depths = st.tuples(st.integers(0, units), st.integers(0, units))
    return st.builds(
        lambda order, splits: SharingPlan.from_splits(order, splits, units),
        st.permutations(TASKS),
        depths,
    )


@st.composite
def any_plans(draw: st.DrawFn, cut: CutBackbone) -> SharingPlan:
    """Draw any partition at any unit, any skips of skippable units, any statistics."""
    row = st.tuples(*(st.integers(0, len(TASKS) - 1) for _ in TASKS))
    groups = draw(st.lists(row, min_size=len(cut.units), max_size=len(cut.units)))
    plan = SharingPlan.from_groups(
        [
            [task for task, group in zip(TASKS, row, strict=True) if group == number]
            for number in set(row)
        ]
        for row in groups
    )
    skips = {
        unit.index: draw(st.lists(st.sampled_from(TASKS), unique=True))
        for unit in cut.units
        if unit.skippable
    }
    return plan.with_skips(skips).with_statistics(draw(st.sampled_from(["shared", "path"])))


def rejoining(cut: CutBackbone) -> SharingPlan:
    """Return a plan in which the first task has its own copy of the second unit only."""
    apart = [[TASKS[0]], list(TASKS[1:])]
    return SharingPlan.from_groups(
        apart if unit == 1 else [list(TASKS)] for unit in range(len(cut.units))
    )


def reference(network: MultiTaskNetwork, cut: CutBackbone, task: str) -> nn.Module:
    """Return a task's network as an ordinary timm model that shares nothing."""
    model = copy.deepcopy(cut.template)
    values = {
        name: value
        for unit in range(len(cut.units))
        for group in network.plan.groups(unit)
        if task in group
        for name, value in network.unit_parameters(unit, group).items()
    }
    with torch.no_grad():
        for name, value in values.items():
            model.get_parameter(name).copy_(value)
    for unit, unit_modules in enumerate(cut.unit_modules):
        for path in unit_modules.modules if task in network.plan.skips(unit) else ():
            model.set_submodule(path, nn.Identity())
    return model.train(network.training)


def levels_of(model: nn.Module, cut: CutBackbone, images: Tensor) -> list[Tensor]:
    levels: list[Tensor] = model.forward_intermediates(
        images, indices=list(cut.out_indices), norm=False, intermediates_only=True
    )
    return levels


def scores(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        return {task: outputs["scores"] for task, outputs in network(images).items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(
        torch.equal(first[key], second[key]) for key in first
    )


def check_gradients_by_group(built: MultiTaskNetwork) -> None:
    """Check that every copy of a unit gets gradients exactly from the tasks of its group."""
    for task in TASKS:
        built.zero_grad()
        built(images())[task]["scores"].square().sum().backward()
        for unit in range(len(built.units)):
            for group in built.plan.groups(unit):
                parameters = built.unit_parameters(unit, group).values()
                has_gradient = any(p.grad is not None and p.grad.any() for p in parameters)
                assert has_gradient == (task in group)


def check_gradient_sum(built: MultiTaskNetwork) -> None:
    """Check that the gradient of all tasks is the sum of the gradients of each task."""
    built.zero_grad()
    sum(outputs["scores"].square().sum() for outputs in built(images()).values()).backward()
    together = {key: value.grad for key, value in built.named_parameters()}
    built.zero_grad()
    for task in TASKS:
        built(images(), [task])[task]["scores"].square().sum().backward()
    for key, value in built.named_parameters():
        torch.testing.assert_close(together[key], value.grad, rtol=1e-4, atol=1e-4)
