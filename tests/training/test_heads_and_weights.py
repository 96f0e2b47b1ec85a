"""Heads from a seed, weights on disk, names of devices."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mtlsearch.errors import RunError, TrainingError
from mtlsearch.models import HeadWithAttention
from mtlsearch.plan import FeatureLevel, FeatureSpec
from mtlsearch.training import (
    Precision,
    load_weights,
    resolve_device,
    resolve_precision,
    save_weights,
    seeded_heads,
)
from tests.training.fakes import CPU, Network, guesses

FEATURES = FeatureSpec((FeatureLevel(8, 4),), (16, 16))


def equal(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in mine | theirs)


def test_a_head_depends_on_seed_and_name_alone() -> None:
    alone = seeded_heads(guesses("b"), FEATURES, 4)
    is_distributed = seeded_heads(guesses("a", "b", "c"), FEATURES, 4)
    assert equal(alone["b"], is_distributed["b"])
    assert not equal(is_distributed["a"], is_distributed["b"])
    assert not equal(alone["b"], seeded_heads(guesses("b"), FEATURES, 5)["b"])


def test_heads_behind_gates_are_the_same_heads() -> None:
    plain = seeded_heads(guesses("a", "b"), FEATURES, 4)
    gated, again = (seeded_heads(guesses("a", "b"), FEATURES, 4, ["b"]) for _ in range(2))
    assert equal(gated["a"], plain["a"])
    assert isinstance(gated["b"], HeadWithAttention)
    assert equal(gated["b"].head, plain["b"])
    assert equal(gated["b"], again["b"])


def test_building_heads_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    seeded_heads(guesses("a"), FEATURES, 9)
    assert torch.equal(torch.rand(3), expected)


class Sharing(nn.Module):
    """Two names for one layer, as in a hard plan."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.one = nn.Linear(width, width)
        self.two = self.one
        self.norm = nn.BatchNorm2d(width)
        self.conv = nn.Conv2d(width, width, 3).to(memory_format=torch.channels_last)


def test_weights_come_back_shared_ones_once(tmp_path: Path) -> None:
    network, other = Sharing(), Sharing()
    assert not equal(network, other)
    path = tmp_path / "deep" / "weights.safetensors"
    save_weights(network, path)
    load_weights(other, path)
    assert equal(network, other)
    assert other.one.weight is other.two.weight
    assert [found.name for found in path.parent.iterdir()] == ["weights.safetensors"]


def test_an_interrupted_save_leaves_the_old_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(Network("a", seed=1), path)
    before = path.read_bytes()

    def stopped(network: nn.Module, name: str) -> None:
        Path(name).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("mtlsearch.training._weights.save_model", stopped)
    with pytest.raises(KeyboardInterrupt):
        save_weights(Network("a", seed=2), path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(RunError, match="no weights"):
        load_weights(Network("a"), path)
    path.write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    with pytest.raises(RunError, match="cannot be read"):
        load_weights(Network("a"), path)
    save_weights(Network("a"), path)
    with pytest.raises(RunError, match="another network's"):
        load_weights(Network("a", "b"), path)
    save_weights(Sharing(), path)
    with pytest.raises(RunError, match="another network's"):
        load_weights(Sharing(5), path)


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", ""])
def test_devices_that_are_not_there_are_refused(name: str) -> None:
    with pytest.raises(TrainingError) as error:
        resolve_device(name)
    assert {"auto", "cpu"} <= set(error.value.allowed)


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for available, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert resolve_device("auto") == torch.device(expected)
    with pytest.raises(TrainingError, match="no CUDA"):
        resolve_device("cuda")


def test_precision_on_the_cpu_is_float32_unless_bf16_is_asked_for() -> None:
    for name in ("auto", "fp32", "fp16"):
        assert resolve_precision(name, CPU) == Precision()  # type: ignore[arg-type]
    assert resolve_precision("bf16", CPU) == Precision(torch.bfloat16)
    assert not resolve_precision("bf16", CPU).scales_loss


@pytest.mark.parametrize("supported", [True, False])
def test_auto_is_bf16_where_a_gpu_has_it(monkeypatch: pytest.MonkeyPatch, supported: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    expected = torch.bfloat16 if supported else None
    assert resolve_precision("auto", torch.device("cuda")).dtype == expected
    assert resolve_precision("fp16", torch.device("cuda")).scales_loss
