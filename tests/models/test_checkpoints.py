"""Backbones that start from one trained network per task."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from mtlsearch.errors import BackboneError
from mtlsearch.models import CutBackbone, cut_backbone
from mtlsearch.plan import SharingPlan

SIZE = (32, 32)


def _fine_tuned(name: str, seed: int) -> dict[str, Tensor]:
    """Return the weights of a classifier with statistics of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = timm.create_model(name, num_classes=3)
        model.train()(torch.randn(4, 3, *SIZE))
    return dict(model.state_dict())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file per task: safetensors, and a state dict with the prefix of a wrapper."""
    folder = tmp_path_factory.mktemp("checkpoints")
    save_file(_fine_tuned("test_resnet", 1), folder / "a.safetensors")
    wrapped = {f"module.{key}": value for key, value in _fine_tuned("test_resnet", 2).items()}
    torch.save({"state_dict": wrapped}, folder / "b.pth")
    return {"a": folder / "a.safetensors", "b": folder / "b.pth"}


@pytest.fixture(scope="module")
def cut(files: dict[str, Path]) -> CutBackbone:
    return cut_backbone("test_resnet", SIZE, checkpoints=files)


def _state(cut: CutBackbone, plan: SharingPlan, task: str) -> dict[str, Tensor]:
    return dict(cut.build_backbones(plan).task_model(task).state_dict())


@pytest.mark.parametrize(("task", "seed"), [("a", 1), ("b", 2)])
def test_independent_tasks_start_from_their_networks(
    cut: CutBackbone, task: str, seed: int
) -> None:
    expected = _fine_tuned("test_resnet", seed)
    state = _state(cut, SharingPlan.independent(["a", "b"], len(cut.units)), task)
    assert state
    assert all(torch.equal(value, expected[key]) for key, value in state.items())


def test_shared_units_start_from_the_mean(cut: CutBackbone) -> None:
    plan = SharingPlan.from_splits(["a", "b"], [2], len(cut.units))
    first, second = _fine_tuned("test_resnet", 1), _fine_tuned("test_resnet", 2)
    state = _state(cut, plan, "a")
    mean = (first["conv1.0.weight"] + second["conv1.0.weight"]) / 2
    assert torch.allclose(state["conv1.0.weight"], mean, atol=1e-7)
    assert not torch.equal(state["conv1.0.weight"], first["conv1.0.weight"])
    last = cut.units[-1].name
    private = [key for key in state if key.startswith(f"{last}.")]
    assert private
    assert all(torch.equal(state[key], first[key]) for key in private)


def test_an_error_names_file_and_key(files: dict[str, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"stem.weight": torch.zeros(1)}, other)
    with pytest.raises(BackboneError) as caught:
        cut_backbone("test_resnet", SIZE, checkpoints={**files, "b": other})
    assert str(other) in str(caught.value.where)
    assert "backbone.checkpoints.b" in str(caught.value.where)
