"""Traces, pruning, and outputs that are modified in place."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mtlsearch.models.cutting._dry_run import dry_run, to_meta
from mtlsearch.models.cutting._prune import prune, unused_weights
from mtlsearch.models.cutting._trace import trace_model
from mtlsearch.models.cutting._units import find_unit_modules
from mtlsearch.models.sharing._shared_backbones import SharedBackbones
from mtlsearch.plan import SharingPlan

SIZE = (8, 12)


class Careless(nn.Module):
    """Modifies outputs in place, has unused parameters and a head that does not run."""

    def __init__(self, *, reads_values: bool = False) -> None:
        super().__init__()
        self.reads_values = reads_values
        self.bias = nn.Parameter(torch.ones(4, 1, 1))
        self.token = nn.Parameter(torch.ones(4))
        self.unread = nn.Parameter(torch.ones(4))
        self.blocks = nn.ModuleList(nn.Conv2d(3 if n == 0 else 4, 4, 1) for n in range(5))
        self.head = nn.Linear(4, 2)

    def group_matcher(self, coarse=False):
        return {"blocks": r"^blocks\.(\d+)", "head": [(r".*", (99999,))]}

    def forward_intermediates(self, x, indices=None, **ignored):
        if self.reads_values:
            float(x.sum())
        levels = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            levels.append(x + 0)
            x += self.bias if number == 1 else 1
        return levels if indices is None else [levels[index] for index in indices]


def run(model, images):
    return model.forward_intermediates(images)


def test_trace_records_order_flops_and_modifications():
    trace = trace_model(Careless(), SIZE, run)
    assert [call.path for call in trace.calls] == [f"blocks.{n}" for n in range(5)]
    assert all(call.is_modified for call in trace.calls)
    assert [call.flops for call in trace.calls] == [2 * 12 * 96, *[2 * 16 * 96] * 4]
    assert trace.flops == sum(call.flops for call in trace.calls)
    second, third = (trace.first_use[f"blocks.{n}.weight"] for n in (1, 2))
    assert second < trace.first_use["bias"] < third
    assert {"token", "unread", "head.weight"}.isdisjoint(trace.first_use)
    assert [tuple(level.shape) for level in trace.levels] == [(1, 4, 8, 12)] * 5


def test_dry_run_falls_back_to_cpu():
    on_meta = trace_model(Careless(), SIZE, run)
    on_cpu = trace_model(Careless(reads_values=True), SIZE, run)
    assert on_meta.calls == on_cpu.calls
    assert on_meta.first_use == on_cpu.first_use
    assert dry_run(Careless(reads_values=True), SIZE, run)[0].device.type == "cpu"


def test_trace_does_not_change_model():
    model = Careless().train()
    before = copy.deepcopy(model.state_dict())
    trace_model(model, SIZE, run)
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_to_meta_keeps_aliases_without_weights():
    model = Careless()
    model.blocks[2] = model.blocks[1]
    twin = to_meta(model)
    assert all(parameter.is_meta for parameter in twin.parameters())
    assert twin.blocks[2] is twin.blocks[1]
    assert not any(parameter.is_meta for parameter in model.parameters())


def test_prune_removes_unused_modules_and_parameters():
    model = Careless()
    trace = trace_model(model, SIZE, run)
    assert set(unused_weights(model, trace)) == {"token", "unread", "head.weight", "head.bias"}
    prune(model, trace)
    assert isinstance(model.head, nn.Identity)
    assert model.token is None
    assert len(run(model, torch.zeros(1, 3, *SIZE))) == 5


@pytest.mark.parametrize("depths", [(1, 2), (2, 2), (5, 5), (0, 3)])
def test_in_place_modification_does_not_reach_other_tasks(depths):
    model = Careless()
    trace = trace_model(model, SIZE, run)
    prune(model, trace)
    units = find_unit_modules(model, trace, "stage")
    assert [unit.modules for unit in units] == [(f"blocks.{n}",) for n in range(5)]
    assert "bias" in units[1].parameters
    plan = SharingPlan.from_splits(["a", "b", "c"], depths, 5)
    backbones = SharedBackbones(model, units, range(5), plan).eval()
    images = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        for number, parameter in enumerate(backbones.parameters()):
            parameter.add_(0.1 * number)
        shared = backbones(images)
        for task in plan.tasks:
            alone = backbones.task_model(task).forward_intermediates(images)
            assert all(map(torch.equal, shared[task], alone))


class Attention(nn.Module):
    """Fused self-attention of 96 pixels with 8 channels."""

    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2).repeat(1, 1, 4)[:, :, :8]
        return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)


@pytest.mark.parametrize("reads_values", [False, True])
def test_fused_attention_counts_on_every_device(reads_values):
    """A model that reads values runs on the CPU, whose fused kernel counters can ignore."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = Attention()

        def forward(self, images):
            if reads_values:
                float(images.sum())
            return [self.attention(images)]

    trace = trace_model(Model(), SIZE, lambda model, images: model(images))
    assert trace.flops == trace.calls[0].flops == 2 * (2 * 96 * 96 * 8)


class Returns(nn.Module):
    """Returns what a function makes of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x, (True,)),
        (lambda x: x.new_zeros(1, 5), (False,)),
        (lambda x: [x.mean(1), x.new_zeros(3)], (True, False)),
        (lambda x: x.transpose(0, 1), None),
        (lambda x: x.reshape(2 * len(x), -1), None),
    ],
)
def test_trace_finds_the_batch_in_outputs(function, expected):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Returns(function))
    trace = trace_model(model, SIZE, lambda twin, images: [twin(images)])
    assert [call.batched for call in trace.calls] == [(True,), expected]
