"""Heads from a seed, weights on disk, names of devices and number formats."""

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


def is_equal(first: nn.Module, second: nn.Module) -> bool:
    left, right = first.state_dict(), second.state_dict()
    return all(torch.equal(left[name], right[name]) for name in left | right)


def test_head_depends_only_on_seed_and_name() -> None:
    single = seeded_heads(guesses("b"), FEATURES, 4)
    several = seeded_heads(guesses("a", "b", "c"), FEATURES, 4)
    assert is_equal(single["b"], several["b"])
    assert not is_equal(several["a"], several["b"])
    assert not is_equal(single["b"], seeded_heads(guesses("b"), FEATURES, 5)["b"])


def test_attention_does_not_change_the_head() -> None:
    plain = seeded_heads(guesses("a", "b"), FEATURES, 4)
    first, second = (seeded_heads(guesses("a", "b"), FEATURES, 4, ["b"]) for _ in range(2))
    assert is_equal(first["a"], plain["a"])
    assert isinstance(first["b"], HeadWithAttention)
    assert is_equal(first["b"].head, plain["b"])
    assert is_equal(first["b"], second["b"])


def test_building_heads_restores_torchs_generator() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    seeded_heads(guesses("a"), FEATURES, 9)
    assert torch.equal(torch.rand(3), expected)


class SharingModule(nn.Module):
    """A module with two names for one layer, as in a hard plan."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = self.first
        self.norm = nn.BatchNorm2d(width)
        self.conv = nn.Conv2d(width, width, 3).to(memory_format=torch.channels_last)


def test_saved_weights_load_and_stay_shared(tmp_path: Path) -> None:
    network, loaded = SharingModule(), SharingModule()
    assert not is_equal(network, loaded)
    path = tmp_path / "deep" / "weights.safetensors"
    save_weights(network, path)
    load_weights(loaded, path)
    assert is_equal(network, loaded)
    assert loaded.first.weight is loaded.second.weight
    assert [file.name for file in path.parent.iterdir()] == ["weights.safetensors"]


def test_interrupted_save_keeps_the_old_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(Network("a", seed=1), path)
    before = path.read_bytes()

    def interrupted_save(network: nn.Module, name: str) -> None:
        Path(name).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("mtlsearch.training._checkpoint.save_model", interrupted_save)
    with pytest.raises(KeyboardInterrupt):
        save_weights(Network("a", seed=2), path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_invalid_weights_raise(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(RunError, match="does not exist"):
        load_weights(Network("a"), path)
    path.write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    with pytest.raises(RunError, match="cannot read the weights"):
        load_weights(Network("a"), path)
    save_weights(Network("a"), path)
    with pytest.raises(RunError, match="belong to another network"):
        load_weights(Network("a", "b"), path)
    save_weights(SharingModule(), path)
    with pytest.raises(RunError, match="belong to another network"):
        load_weights(SharingModule(5), path)


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", ""])
def test_unavailable_devices_raise(name: str) -> None:
    with pytest.raises(TrainingError) as error:
        resolve_device(name)
    assert {"auto", "cpu"} <= set(error.value.allowed)


def test_auto_device_is_cuda_if_available(monkeypatch: pytest.MonkeyPatch) -> None:
    for available, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert resolve_device("auto") == torch.device(expected)
    with pytest.raises(TrainingError, match="no CUDA"):
        resolve_device("cuda")


def test_cpu_precision_is_float32_except_for_bf16() -> None:
    for name in ("auto", "fp32", "fp16"):
        assert resolve_precision(name, CPU) == Precision()  # type: ignore[arg-type]
    assert resolve_precision("bf16", CPU) == Precision(torch.bfloat16)
    assert not resolve_precision("bf16", CPU).scales_loss


@pytest.mark.parametrize("is_supported", [True, False])
def test_auto_precision_is_bf16_if_supported(
    monkeypatch: pytest.MonkeyPatch, is_supported: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: is_supported)
    expected = torch.bfloat16 if is_supported else None
    assert resolve_precision("auto", torch.device("cuda")).dtype == expected
    assert resolve_precision("fp16", torch.device("cuda")).scales_loss
