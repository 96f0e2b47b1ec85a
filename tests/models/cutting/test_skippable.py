"""Which units may be passed by."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mtlsearch.models.cutting._levels import run_levels
from mtlsearch.models.cutting._skippable import SkipUnit, find_skippable
from mtlsearch.models.cutting._trace import Call, trace
from mtlsearch.models.cutting._units import UnitModules
from tests.models.families import cut, images, whole

SQUARE = (8, 8)


@pytest.mark.parametrize(
    "name", ["test_convnext", "test_vit", "test_vit_relpos", "mobilenetv3_small_050", "resnet10t"]
)
def test_a_unit_that_may_be_passed_by_can_be_replaced_by_an_identity(name):
    """The unit behind is then given just what the unit was, and the levels keep their shapes."""
    backbone = cut(name, "block")
    chosen = [unit.index for unit in backbone.units if unit.skippable]
    unit = chosen[len(chosen) // 2]
    model = whole(backbone)
    with torch.no_grad():
        shapes = [level.shape for level in run_levels(model, images(1), backbone.out_indices)]
    for path in backbone.pieces[unit].modules:
        model.set_submodule(path, SkipUnit())
    given, taken = [], []
    _watch(model, backbone.pieces[unit].calls[0].path, given)
    if unit + 1 < len(backbone.units):
        _watch(model, backbone.pieces[unit + 1].calls[0].path, taken)
    with torch.no_grad():
        levels = run_levels(model, images(1), backbone.out_indices)
    assert [level.shape for level in levels] == shapes
    assert all(one is other for one, other in zip(given, taken, strict=False))


def _watch(model, path, inputs):
    module = model.get_submodule(path)
    module.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))


def test_units_of_known_backbones():
    assert [unit.skippable for unit in cut("test_resnet").units] == [False, True, *[False] * 3]
    assert [unit.skippable for unit in cut("test_vit").units] == [False, *[True] * 6]
    blocks = cut("resnet10t", "block").units
    assert [unit.name for unit in blocks if unit.skippable] == ["layer1"]


class Toy(nn.Module):
    """Three blocks on a spine that does as it is told."""

    def __init__(self, spine):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(3))
        self.spine = spine

    def forward_intermediates(self, x, **options):
        levels = []
        for at, block in enumerate(self.blocks):
            x = self.spine(at, x, block)
            levels.append(x)
        return levels


class Wide(nn.Module):
    """Not a number of channels that the next block could take."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.conv(x)[..., 1:]


def skippable(model):
    seen = trace(model, SQUARE, run_levels)
    calls = {f"blocks.{at}": [] for at in range(3)}
    for call in seen.calls:
        if call.path in calls:
            calls[call.path].append(call)
    names = [name for name, _ in model.named_parameters()]
    pieces = [
        UnitModules(tuple(of), tuple(name for name in names if name.startswith(f"{path}.")))
        for path, of in calls.items()
    ]
    return find_skippable(model, pieces, seen, SQUARE, (0, 1, 2))


def test_blocks_on_a_plain_spine_may_be_passed_by():
    assert skippable(Toy(lambda at, x, block: block(x))) == [True, True, True]


def test_an_addition_on_the_spine_belongs_to_the_unit():
    """An identity in place of the block would double what goes through it."""
    for one in range(3):
        found = skippable(Toy(lambda at, x, block, one=one: block(x) + x * (at == one)))
        assert found[one] is False
    plain = Toy(lambda at, x, block: x + block(x) if at == 2 else block(x))
    assert skippable(plain) == [True, True, False]


def test_a_unit_that_changes_the_shape_stays():
    model = Toy(lambda at, x, block: block(x))
    model.blocks[1] = Wide()
    assert skippable(model) == [True, False, True]


def test_a_unit_whose_output_is_written_to_stays():
    spine = Toy(lambda at, x, block: block(x).add_(1) if at == 1 else block(x))
    assert skippable(spine)[1] is False


def test_a_unit_that_the_spine_looks_into_stays():
    spine = Toy(lambda at, x, block: block(x) * block.out_channels / 3 if at == 2 else block(x))
    assert skippable(spine) == [False, False, False]


def test_weights_in_common_with_another_unit_keep_both():
    model = Toy(lambda at, x, block: block(x))
    model.blocks[2].weight = model.blocks[0].weight
    assert skippable(model) == [False, True, False]


def test_pass_by_hands_on_its_first_argument_and_is_copied_like_any_module():
    given = torch.ones(2, requires_grad=True)
    assert SkipUnit()(given, None, mask=3) is given
    assert not copy.deepcopy(SkipUnit(severs=True))(given).requires_grad


def test_a_call_that_nobody_saw_takes_nothing():
    assert not Call("a", 0, 1, 0, (), rewritten=False).keeps_shape
