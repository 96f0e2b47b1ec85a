from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mtlsearch.models import dry_run, to_meta
from mtlsearch.models.cutting._prune import prune, unused_weights
from mtlsearch.models.cutting._trace import trace
from mtlsearch.models.cutting._units import find_unit_modules
from mtlsearch.models.sharing._shared_backbones import SharedBackbones
from mtlsearch.plan import SharingPlan

SIZE = (8, 12)


class Careless(nn.Module):
    """Writes into what its layers return, has a token nobody reads and a head that never runs."""

    def __init__(self, *, looks_at_values: bool = False) -> None:
        super().__init__()
        self.looks_at_values = looks_at_values
        self.bias = nn.Parameter(torch.ones(4, 1, 1))
        self.token = nn.Parameter(torch.ones(4))
        self.unread = nn.Parameter(torch.ones(4))
        self.blocks = nn.ModuleList(nn.Conv2d(3 if n == 0 else 4, 4, 1) for n in range(5))
        self.head = nn.Linear(4, 2)

    def group_matcher(self, coarse=False):
        return {"blocks": r"^blocks\.(\d+)", "head": [(r".*", (99999,))]}

    def forward_intermediates(self, x, indices=None, **ignored):
        if self.looks_at_values:
            float(x.sum())
        levels = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            levels.append(x + 0)
            x += self.bias if number == 1 else 1
        return levels if indices is None else [levels[index] for index in indices]


def run(model, images):
    return model.forward_intermediates(images)


def test_a_dry_run_sees_order_work_and_writes():
    seen = trace(Careless(), SIZE, run)
    assert [call.path for call in seen.calls] == [f"blocks.{n}" for n in range(5)]
    assert all(call.rewritten for call in seen.calls)
    assert [call.flops for call in seen.calls] == [2 * 12 * 96, *[2 * 16 * 96] * 4]
    assert seen.flops == sum(call.flops for call in seen.calls)
    second, third = (seen.first_use[f"blocks.{n}.weight"] for n in (1, 2))
    assert second < seen.first_use["bias"] < third
    assert {"token", "unread", "head.weight"}.isdisjoint(seen.first_use)
    assert [tuple(level.shape) for level in seen.levels] == [(1, 4, 8, 12)] * 5


def test_a_model_that_looks_at_values_is_run_on_the_cpu():
    on_meta, on_cpu = trace(Careless(), SIZE, run), trace(Careless(looks_at_values=True), SIZE, run)
    assert on_meta.calls == on_cpu.calls
    assert on_meta.first_use == on_cpu.first_use
    assert dry_run(Careless(looks_at_values=True), SIZE, run)[0].device.type == "cpu"


def test_a_dry_run_leaves_the_model_alone():
    model = Careless().train()
    before = copy.deepcopy(model.state_dict())
    trace(model, SIZE, run)
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_ghost_has_no_weights_but_the_same_ties():
    model = Careless()
    model.blocks[2] = model.blocks[1]
    twin = to_meta(model)
    assert all(parameter.is_meta for parameter in twin.parameters())
    assert twin.blocks[2] is twin.blocks[1]
    assert not any(parameter.is_meta for parameter in model.parameters())


def test_what_never_runs_is_taken_off():
    model = Careless()
    seen = trace(model, SIZE, run)
    assert set(unused_weights(model, seen)) == {"token", "unread", "head.weight", "head.bias"}
    prune(model, seen)
    assert isinstance(model.head, nn.Identity)
    assert model.token is None
    assert len(run(model, torch.zeros(1, 3, *SIZE))) == 5


@pytest.mark.parametrize("depths", [(1, 2), (2, 2), (5, 5), (0, 3)])
def test_writing_in_place_does_not_reach_other_tasks(depths):
    model = Careless()
    seen = trace(model, SIZE, run)
    prune(model, seen)
    pieces = find_unit_modules(model, seen, "stage")
    assert [piece.modules for piece in pieces] == [(f"blocks.{n}",) for n in range(5)]
    assert "bias" in pieces[1].parameters
    plan = SharingPlan.from_splits(["a", "b", "c"], depths, 5)
    tied = SharedBackbones(model, pieces, range(5), plan).eval()
    images = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        for number, parameter in enumerate(tied.parameters()):
            parameter.add_(0.1 * number)
        together = tied(images)
        for task in plan.tasks:
            alone = tied.task_model(task).forward_intermediates(images)
            assert all(map(torch.equal, together[task], alone))


class Attention(nn.Module):
    """Fused attention of 96 pixels with each other, 8 channels."""

    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2).repeat(1, 1, 4)[:, :, :8]
        return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)


@pytest.mark.parametrize("looks_at_values", [False, True])
def test_fused_attention_is_work_on_every_device(looks_at_values):
    """A model that looks at values is run on the CPU, whose fused kernel counters pass over."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = Attention()

        def forward(self, images):
            if looks_at_values:
                float(images.sum())
            return [self.attention(images)]

    seen = trace(Model(), SIZE, lambda model, images: model(images))
    assert seen.flops == seen.calls[0].flops == 2 * (2 * 96 * 96 * 8)
