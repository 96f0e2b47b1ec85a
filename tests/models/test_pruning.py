"""Structured pruning of networks: cost, outputs, sharing, and the way back from weights."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.errors import BackboneError, RunError
from mtlsearch.models import MultiTaskNetwork, fit_channels, prune_network
from mtlsearch.plan import SharingPlan
from tests.models.families import cut, images
from tests.models.heads import TASKS, middle, network, same, scores

SHARE_BY_BACKBONE = {
    "test_efficientnet": 0.5,  # depthwise convolutions with squeeze and excitation
    "test_resnet": 0.4,
    "test_vit": 0.75,  # attention stays
}


@pytest.fixture(params=SHARE_BY_BACKBONE)
def built(request) -> tuple[str, MultiTaskNetwork]:
    backbone = cut(request.param)
    return request.param, network(backbone, middle(backbone), vary=True)


def shapes(built: MultiTaskNetwork) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}


def settings_of(built: MultiTaskNetwork) -> list[tuple[str, str]]:
    return [(name, module.extra_repr()) for name, module in built.named_modules()]


def test_a_pruned_network_needs_at_most_the_flops(built) -> None:
    name, before = built
    after = copy.deepcopy(before)
    target = SHARE_BY_BACKBONE[name] * before.cost.flops
    pruned = prune_network(after, target, "weights", backbone=name)
    assert pruned.before == before.cost
    assert pruned.after == after.cost
    assert 0.9 * target < pruned.after.flops <= target
    assert pruned.after.parameters < pruned.before.parameters
    assert 0 < pruned.num_removed < pruned.num_channels


def test_a_pruned_network_keeps_levels_outputs_and_sharing(built) -> None:
    name, before = built
    after = copy.deepcopy(before)
    prune_network(after, SHARE_BY_BACKBONE[name] * before.cost.flops, "weights", backbone=name)
    batch = images(2)
    assert {
        task: [level.shape for level in levels] for task, levels in after.features(batch).items()
    } == {
        task: [level.shape for level in levels] for task, levels in before.features(batch).items()
    }
    for task in TASKS:
        assert after(batch)[task]["scores"].shape == before(batch)[task]["scores"].shape
    for unit in range(len(after.units)):
        for group in after.plan.groups(unit):
            first = after.backbones.unit_modules(unit, group[0])
            for task in group[1:]:
                other = after.backbones.unit_modules(unit, task)
                assert all(other[path] is first[path] for path in first)


def test_a_pruned_network_reloads_bit_for_bit(built) -> None:
    name, before = built
    after, again = copy.deepcopy(before), copy.deepcopy(before)
    prune_network(after, SHARE_BY_BACKBONE[name] * before.cost.flops, "weights", backbone=name)
    fit_channels(again, shapes(after))
    again.load_state_dict(after.state_dict())
    assert settings_of(again) == settings_of(after)
    assert shapes(again) != shapes(before)
    assert same(scores(again, images(2)), scores(after, images(2)))


@given(share=st.floats(0.3, 0.95), splits=st.lists(st.integers(0, 4), min_size=2, max_size=2))
@settings(max_examples=4, deadline=None)
def test_every_share_of_every_tree_is_reached(share: float, splits: list[int]) -> None:
    backbone = cut("test_resnet")
    plan = SharingPlan.from_splits(TASKS, depths=splits, units=len(backbone.units))
    built = network(backbone, plan)
    before = built.cost.flops
    pruned = prune_network(built, share * before, "weights", backbone="test_resnet")
    assert (share - 0.08) * before < pruned.after.flops <= share * before


def test_taylor_keeps_the_channels_with_gradients() -> None:
    backbone = cut("test_resnet")
    built = network(backbone, SharingPlan.hard(TASKS, len(backbone.units)), vary=True)
    layer = "backbones.boxes.layer1.0.conv1"
    count = built.get_submodule(layer).out_channels
    useful = torch.arange(count) % 2 == 0

    def gradients():
        for weight in built.parameters():
            weight.grad = torch.ones_like(weight)
        built.get_submodule(layer).weight.grad[~useful] = 0
        for name in ("backbones.boxes.layer1.0.bn1", "backbones.boxes.layer1.0.conv2"):
            weight = built.get_submodule(name).weight
            (weight.grad if weight.ndim == 1 else weight.grad.transpose(0, 1))[~useful] = 0
        yield

    kept = built.get_submodule(layer).weight.detach().clone()
    prune_network(built, 0.6 * built.cost.flops, "taylor", gradients(), backbone="test_resnet")
    remaining = built.get_submodule(layer).weight.detach()
    assert len(remaining) < count
    rows = [
        next(i for i in range(count) if torch.equal(kept[i], row))
        for row in remaining[:, : kept.shape[1]]
    ]
    assert sum(bool(useful[row]) for row in rows) >= min(len(rows), int(useful.sum()))


def test_frozen_units_keep_their_channels() -> None:
    backbone = cut("test_resnet")
    built = network(backbone, SharingPlan.hard(TASKS, len(backbone.units)))
    built.freeze(1)
    before = [shape for _, shape in _unit_shapes(built, 1)]
    prune_network(built, 0.85 * built.cost.flops, "weights", backbone="test_resnet")
    assert [shape for _, shape in _unit_shapes(built, 1)] == before


def _unit_shapes(built: MultiTaskNetwork, num_units: int) -> list[tuple[str, torch.Size]]:
    return [
        (name, weight.shape)
        for unit in range(num_units)
        for name, weight in built.unit_parameters(unit, TASKS).items()
    ]


def test_too_few_flops_are_refused_with_the_smallest_number() -> None:
    backbone = cut("test_vit")
    built = network(backbone, SharingPlan.hard(TASKS, len(backbone.units)))
    before = shapes(built)
    with pytest.raises(RunError, match=r"'test_vit' .* can be pruned to .*x\)") as caught:
        prune_network(built, 0.1 * built.cost.flops, "weights", backbone="test_vit")
    assert "attention" in caught.value.what
    assert shapes(built) == before


def test_a_target_above_the_network_is_refused() -> None:
    backbone = cut("test_resnet")
    built = network(backbone, SharingPlan.hard(TASKS, len(backbone.units)))
    with pytest.raises(RunError, match=r"needs .* FLOPs"):
        prune_network(built, 2.0 * built.cost.flops, "weights", backbone="test_resnet")


def test_a_backbone_without_removable_channels_is_refused() -> None:
    backbone = cut("test_resnet")
    built = network(backbone, SharingPlan.hard(TASKS, len(backbone.units)))
    built.freeze(len(built.units))
    with pytest.raises(BackboneError, match="'test_resnet' has no channels"):
        prune_network(built, 0.5 * built.cost.flops, "weights", backbone="test_resnet")


@pytest.mark.parametrize("shape", [(10_000, 3, 3, 3), (0, 3, 3, 3), (8, 3)])
def test_shapes_that_pruning_cannot_make_are_refused(shape: tuple[int, ...]) -> None:
    backbone = cut("test_resnet")
    built = network(backbone, SharingPlan.hard(TASKS, len(backbone.units)))
    with pytest.raises(RunError, match="belong to another network"):
        fit_channels(built, {"backbones.boxes.conv1.0.weight": shape})
