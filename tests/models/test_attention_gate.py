"""A gate lets everything pass at first, and what it costs is counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtlsearch.models import (
    CutBackbone,
    HeadWithAttention,
    MultiTaskNetwork,
    count_flops,
    count_parameters,
    cut_backbone,
    head_cost,
)
from mtlsearch.models._attention_gate import AttentionGate
from tests.models.heads import TASKS, Mean, disturb, head, middle


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def levels(cut: CutBackbone) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = zip(cut.features.levels, cut.features.sizes, strict=True)
    return [torch.randn(2, at.channels, *size, generator=generator) for at, size in shapes]


def test_a_new_gate_changes_nothing(cut: CutBackbone) -> None:
    plain = head(cut, 0)
    assert torch.equal(
        HeadWithAttention(plain, cut.features)(levels(cut))["scores"], plain(levels(cut))["scores"]
    )


def test_a_gate_lets_each_place_pass_between_not_at_all_and_twice() -> None:
    gate = AttentionGate(12)
    disturb(list(gate.parameters()), seed=0)
    level = torch.ones(3, 12, 4, 4) + torch.rand(3, 12, 4, 4)
    passed = gate(level) / level
    assert ((passed > 0) & (passed < 2)).all()
    assert passed.std() > 1e-3
    with torch.no_grad():
        gate.mask.bias.fill_(-50.0)
    assert gate(level).abs().max() < 1e-6


def test_it_learns_from_the_first_step(cut: CutBackbone) -> None:
    gated = HeadWithAttention(head(cut, 0), cut.features)
    gated(levels(cut))["scores"].square().sum().backward()
    for gate in gated.gates:
        assert isinstance(gate, AttentionGate)
        assert gate.mask.weight.grad is not None
        assert gate.mask.weight.grad.any()


def test_its_cost_is_counted(cut: CutBackbone) -> None:
    """By hand: two 1x1 convolutions a level, a bias, and a norm's scale and shift."""
    plain, gated = head(cut, 0), HeadWithAttention(head(cut, 0), cut.features)
    more = head_cost(gated, cut.features), head_cost(plain, cut.features)
    parameters, flops = 0, 0
    for level, (height, width) in zip(cut.features.levels, cut.features.sizes, strict=True):
        inner = max(8, level.channels // 4)
        parameters += 2 * level.channels * inner + level.channels + 2 * inner
        flops += 2 * height * width * 2 * level.channels * inner
    assert more[0].parameters - more[1].parameters == parameters
    assert more[0].flops - more[1].flops == flops


def test_the_networks_cost_is_that_of_its_forward(cut: CutBackbone) -> None:
    heads = {task: HeadWithAttention(Mean(cut.features), cut.features) for task in TASKS}
    network = MultiTaskNetwork(cut, middle(cut), heads).eval()
    assert network.cost.parameters == count_parameters(network)
    assert network.cost.flops == count_flops(network, torch.zeros(1, 3, 32, 32))
