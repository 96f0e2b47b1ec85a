"""Attention gates: identity at initialization, range, gradients and cost."""

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
    return [torch.randn(2, level.channels, *size, generator=generator) for level, size in shapes]


def test_gate_new_is_identity(cut: CutBackbone) -> None:
    plain = head(cut, 0)
    assert torch.equal(
        HeadWithAttention(plain, cut.features)(levels(cut))["scores"], plain(levels(cut))["scores"]
    )


def test_gate_scales_each_pixel_between_0_and_2() -> None:
    gate = AttentionGate(12)
    disturb(list(gate.parameters()), seed=0)
    level = torch.ones(3, 12, 4, 4) + torch.rand(3, 12, 4, 4)
    factors = gate(level) / level
    assert ((factors > 0) & (factors < 2)).all()
    assert factors.std() > 1e-3
    with torch.no_grad():
        gate.mask.bias.fill_(-50.0)
    assert gate(level).abs().max() < 1e-6


def test_gate_gets_gradient_in_first_step(cut: CutBackbone) -> None:
    gated = HeadWithAttention(head(cut, 0), cut.features)
    gated(levels(cut))["scores"].square().sum().backward()
    for gate in gated.gates:
        assert isinstance(gate, AttentionGate)
        assert gate.mask.weight.grad is not None
        assert gate.mask.weight.grad.any()


def test_gate_cost_equals_hand_count(cut: CutBackbone) -> None:
    """Two 1x1 convolutions per level, one bias, scale and shift of a normalization."""
    plain, gated = head(cut, 0), HeadWithAttention(head(cut, 0), cut.features)
    with_gates, without = head_cost(gated, cut.features), head_cost(plain, cut.features)
    parameters, flops = 0, 0
    for level, (height, width) in zip(cut.features.levels, cut.features.sizes, strict=True):
        inner = max(8, level.channels // 4)
        parameters += 2 * level.channels * inner + level.channels + 2 * inner
        flops += 2 * height * width * 2 * level.channels * inner
    assert with_gates.parameters - without.parameters == parameters
    assert with_gates.flops - without.flops == flops


def test_network_cost_with_gates_equals_forward(cut: CutBackbone) -> None:
    heads = {task: HeadWithAttention(Mean(cut.features), cut.features) for task in TASKS}
    network = MultiTaskNetwork(cut, middle(cut), heads).eval()
    assert network.cost.parameters == count_parameters(network)
    assert network.cost.flops == count_flops(network, torch.zeros(1, 3, 32, 32))
