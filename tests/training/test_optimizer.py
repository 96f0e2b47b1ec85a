"""Which parameters are decayed, and the rate over time."""

from __future__ import annotations

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mtlsearch.training._optimizer import Schedule, build_optimizer
from tests.training.fakes import Network


def decayed(network: nn.Module, name: str = "adamw") -> set[str]:
    optimizer = build_optimizer(network, name, learning_rate=0.1, weight_decay=0.05)  # type: ignore[arg-type]
    ids = {
        id(parameter)
        for group in optimizer.param_groups
        if group["weight_decay"]
        for parameter in group["params"]
    }
    return {name for name, parameter in network.named_parameters() if id(parameter) in ids}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_norms_and_biases_are_not_decayed(name: str) -> None:
    assert decayed(Network("a"), name) == {"trunk.1.weight", "own.a.weight", "heads.a.weight"}


def test_what_timm_spares_is_spared_wherever_the_model_stands() -> None:
    holder = nn.ModuleDict({"one": nn.ModuleDict({"vit": timm.create_model("test_vit")})})
    found = decayed(holder)
    assert "one.vit.pos_embed" in dict(holder.named_parameters())
    assert "one.vit.pos_embed" not in found
    assert "one.vit.cls_token" not in found
    assert "one.vit.blocks.0.attn.qkv.weight" in found


def test_every_parameter_once_however_often_it_is_shared() -> None:
    shared = nn.Linear(3, 3)
    network = nn.ModuleDict({"x": shared, "y": nn.Sequential(shared), "z": nn.Linear(3, 3)})
    optimizer = build_optimizer(network, "adamw", learning_rate=0.1, weight_decay=0.1)
    held = [id(at) for group in optimizer.param_groups for at in group["params"]]
    assert sorted(held) == sorted({id(at) for at in network.parameters()})
    assert len(held) == 4


def test_frozen_parameters_are_left_out() -> None:
    network = Network("a")
    network.trunk.requires_grad_(requires_grad=False)
    optimizer = build_optimizer(network, "adamw", learning_rate=0.1, weight_decay=0.1)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


@given(steps=st.integers(1, 400), warmup=st.floats(0, 0.9))
def test_the_rate_rises_and_then_falls(steps: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = Schedule(optimizer, peak=0.3, steps=steps, warmup=warmup)
    rates = [schedule.rate(step) for step in range(steps)]
    top = min(round(warmup * steps), steps - 1)
    assert all(0 < rate <= 0.3 for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[top] == pytest.approx(0.3)
    assert schedule.rate(steps) == pytest.approx(0.0)
    schedule.before(top)
    assert optimizer.param_groups[0]["lr"] == rates[top]
