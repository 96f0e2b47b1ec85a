"""Skippable units."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mtlsearch.models.cutting._levels import compute_levels
from mtlsearch.models.cutting._skippable import SkipUnit, find_skippable
from mtlsearch.models.cutting._trace import Call, trace_model
from mtlsearch.models.cutting._units import UnitModules
from tests.models.families import cut, images, whole

SQUARE = (8, 8)


@pytest.mark.parametrize(
    "name", ["test_convnext", "test_vit", "test_vit_relpos", "mobilenetv3_small_050", "resnet10t"]
)
def test_skippable_unit_can_be_replaced_by_identity(name):
    """The next unit then gets the unit's input, and the levels keep their shapes."""
    backbone = cut(name, "block")
    chosen = [unit.index for unit in backbone.units if unit.skippable]
    unit = chosen[len(chosen) // 2]
    model = whole(backbone)
    with torch.no_grad():
        shapes = [level.shape for level in compute_levels(model, images(1), backbone.out_indices)]
    for path in backbone.unit_modules[unit].modules:
        model.set_submodule(path, SkipUnit())
    unit_inputs, next_inputs = [], []
    _watch(model, backbone.unit_modules[unit].calls[0].path, unit_inputs)
    if unit + 1 < len(backbone.units):
        _watch(model, backbone.unit_modules[unit + 1].calls[0].path, next_inputs)
    with torch.no_grad():
        levels = compute_levels(model, images(1), backbone.out_indices)
    assert [level.shape for level in levels] == shapes
    assert all(a is b for a, b in zip(unit_inputs, next_inputs, strict=False))


def _watch(model, path, inputs):
    module = model.get_submodule(path)
    module.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))


def test_skippable_units_of_three_backbones():
    assert [unit.skippable for unit in cut("test_resnet").units] == [False, True, *[False] * 3]
    assert [unit.skippable for unit in cut("test_vit").units] == [False, *[True] * 6]
    blocks = cut("resnet10t", "block").units
    assert [unit.name for unit in blocks if unit.skippable] == ["layer1"]


class Toy(nn.Module):
    """Three blocks that the outer module calls through a function."""

    def __init__(self, apply):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(3))
        self.apply_block = apply

    def forward_intermediates(self, x, **options):
        levels = []
        for index, block in enumerate(self.blocks):
            x = self.apply_block(index, x, block)
            levels.append(x)
        return levels


class Wide(nn.Module):
    """Block whose output is narrower than its input."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.conv(x)[..., 1:]


def skippable(model):
    trace = trace_model(model, SQUARE, compute_levels)
    calls = {f"blocks.{index}": [] for index in range(3)}
    for call in trace.calls:
        if call.path in calls:
            calls[call.path].append(call)
    names = [name for name, _ in model.named_parameters()]
    units = [
        UnitModules(
            tuple(block_calls), tuple(name for name in names if name.startswith(f"{path}."))
        )
        for path, block_calls in calls.items()
    ]
    return find_skippable(model, units, trace, SQUARE, (0, 1, 2))


def test_chain_of_blocks_is_skippable():
    assert skippable(Toy(lambda index, x, block: block(x))) == [True, True, True]


def test_block_with_outer_addition_is_not_skippable():
    """An identity in place of the block would double the features."""
    for unit in range(3):
        toy = Toy(lambda index, x, block, unit=unit: block(x) + x * (index == unit))
        assert skippable(toy)[unit] is False
    residual = Toy(lambda index, x, block: x + block(x) if index == 2 else block(x))
    assert skippable(residual) == [True, True, False]


def test_block_that_changes_shape_is_not_skippable():
    model = Toy(lambda index, x, block: block(x))
    model.blocks[1] = Wide()
    assert skippable(model) == [True, False, True]


def test_block_with_modified_output_is_not_skippable():
    toy = Toy(lambda index, x, block: block(x).add_(1) if index == 1 else block(x))
    assert skippable(toy)[1] is False


def test_block_whose_attributes_are_read_is_not_skippable():
    toy = Toy(lambda index, x, block: block(x) * block.out_channels / 3 if index == 2 else block(x))
    assert skippable(toy) == [False, False, False]


def test_blocks_with_common_weights_are_not_skippable():
    model = Toy(lambda index, x, block: block(x))
    model.blocks[2].weight = model.blocks[0].weight
    assert skippable(model) == [False, True, False]


def test_skip_unit_returns_first_argument():
    features = torch.ones(2, requires_grad=True)
    assert SkipUnit()(features, None, mask=3) is features
    assert not copy.deepcopy(SkipUnit(detach=True))(features).requires_grad


def test_call_without_tensors_does_not_keep_shape():
    assert not Call("a", 0, 1, 0, (), is_modified=False).keeps_shape
