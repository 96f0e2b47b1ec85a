"""Weight decay by parameter, and the learning rate by step."""

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
    """Return the names of the parameters with weight decay."""
    optimizer = build_optimizer(network, name, learning_rate=0.1, weight_decay=0.05)  # type: ignore[arg-type]
    ids = {
        id(parameter)
        for group in optimizer.param_groups
        if group["weight_decay"]
        for parameter in group["params"]
    }
    return {name for name, parameter in network.named_parameters() if id(parameter) in ids}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_norms_and_biases_have_no_weight_decay(name: str) -> None:
    expected = {"trunk.1.weight", "layers.a.weight", "heads.a.weight"}
    assert decayed(Network("a"), name) == expected


def test_timm_exclusions_apply_at_any_module_path() -> None:
    holder = nn.ModuleDict({"outer": nn.ModuleDict({"vit": timm.create_model("test_vit")})})
    names = decayed(holder)
    assert "outer.vit.pos_embed" in dict(holder.named_parameters())
    assert "outer.vit.pos_embed" not in names
    assert "outer.vit.cls_token" not in names
    assert "outer.vit.blocks.0.attn.qkv.weight" in names


def test_shared_parameters_occur_once() -> None:
    shared = nn.Linear(3, 3)
    network = nn.ModuleDict({"x": shared, "y": nn.Sequential(shared), "z": nn.Linear(3, 3)})
    optimizer = build_optimizer(network, "adamw", learning_rate=0.1, weight_decay=0.1)
    ids = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(ids) == sorted({id(parameter) for parameter in network.parameters()})
    assert len(ids) == 4


def test_frozen_parameters_are_excluded() -> None:
    network = Network("a")
    network.trunk.requires_grad_(requires_grad=False)
    optimizer = build_optimizer(network, "adamw", learning_rate=0.1, weight_decay=0.1)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


@given(steps=st.integers(1, 400), warmup=st.floats(0, 0.9))
def test_schedule_rises_and_then_falls(steps: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = Schedule(optimizer, peak=0.3, steps=steps, warmup=warmup)
    rates = [schedule.rate(step) for step in range(steps)]
    peak_step = min(round(warmup * steps), steps - 1)
    assert all(0 < rate <= 0.3 for rate in rates)
    assert rates[: peak_step + 1] == sorted(rates[: peak_step + 1])
    assert rates[peak_step:] == sorted(rates[peak_step:], reverse=True)
    assert rates[peak_step] == pytest.approx(0.3)
    assert schedule.rate(steps) == pytest.approx(0.0)
    schedule.before(peak_step)
    assert optimizer.param_groups[0]["lr"] == rates[peak_step]
