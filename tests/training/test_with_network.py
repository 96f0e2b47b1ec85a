"""Training of the real network: what a plan means for the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mtlsearch.errors import BackboneError
from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.training import load_weights, save_weights
from tests.training.fakes import config, run
from tests.training.pictures import TASKS, Pictures, build, tasks


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def own(network: MultiTaskNetwork, task: str) -> dict[str, Tensor]:
    """What one task's outputs depend on."""
    keep = (f"backbones.{task}.", f"heads.{task}.")
    return {name: at for name, at in network.named_parameters() if name.startswith(keep)}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_independent_is_the_single_task_networks_bit_for_bit(
    cut: CutBackbone, optimizer: str
) -> None:
    settings = config(clip_norm=None, optimizer=optimizer)
    is_distributed = build(cut, SharingPlan.independent(TASKS, len(cut.units)))
    data = Pictures(labels=TASKS, labelled={"b": range(9)})
    measured = run(is_distributed, tasks(*TASKS), data, settings).metrics
    for task in TASKS:
        alone = build(cut, SharingPlan.hard([task], len(cut.units)))
        lonely = run(alone, tasks(task), data, settings)
        assert lonely.metrics[task] == measured[task]
        expected = own(alone, task)
        assert len(expected) > 20
        for name, found in own(is_distributed, task).items():
            assert torch.equal(found, expected[name]), name


def test_a_shared_prefix_stays_shared_and_learns_from_both(cut: CutBackbone) -> None:
    plan = SharingPlan.from_splits(TASKS, [2], len(cut.units))
    network = build(cut, plan)
    run(network, tasks(*TASKS), Pictures(labels=TASKS))
    first = network.unit_parameters(0, TASKS)
    deep = len(cut.units) - 1
    mine, yours = (network.unit_parameters(deep, (task,)) for task in TASKS)
    assert all(at is network.backbones.unit_parameters(0, "b")[name] for name, at in first.items())
    assert any(not torch.equal(mine[name], yours[name]) for name in mine)


def test_trained_weights_come_back_into_a_fresh_network(cut: CutBackbone, tmp_path: Path) -> None:
    plan = SharingPlan.from_splits(TASKS, [1], len(cut.units))
    network, fresh = build(cut, plan), build(cut, plan)
    run(network, tasks(*TASKS), Pictures(labels=TASKS))
    save_weights(network, tmp_path / "w.safetensors")
    load_weights(fresh, tmp_path / "w.safetensors")
    network.to(memory_format=torch.contiguous_format)  # which sums add up in another order in
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found, expected = fresh.eval()(images), network.eval()(images)
    for task in TASKS:
        assert torch.equal(found[task]["scores"], expected[task]["scores"])


def test_a_run_can_start_from_a_trial_that_shared_everything(
    cut: CutBackbone, tmp_path: Path
) -> None:
    """Every plan starts from it alike: both tasks' copies of every unit are the trained ones."""
    hard = build(cut, SharingPlan.hard(TASKS, len(cut.units)))
    run(hard, tasks(*TASKS), Pictures(labels=TASKS), config(epochs=1))
    save_weights(hard, tmp_path / "w.safetensors")
    warm = cut_backbone("test_resnet", (32, 32), checkpoint_path=tmp_path / "w.safetensors")
    network = build(warm, SharingPlan.independent(TASKS, len(cut.units)))
    trained = hard.backbones.task_model("a").state_dict()
    for task in TASKS:
        for name, value in network.backbones.task_model(task).state_dict().items():
            assert torch.equal(value, trained[name]), name


@pytest.mark.parametrize("depth", [0, 1])
def test_a_trial_whose_tasks_parted_is_no_start_for_others(
    cut: CutBackbone, tmp_path: Path, depth: int
) -> None:
    parted = build(cut, SharingPlan.from_splits(TASKS, [depth], len(cut.units)))
    run(parted, tasks(*TASKS), Pictures(labels=TASKS), config(epochs=1))
    save_weights(parted, tmp_path / "w.safetensors")
    with pytest.raises(BackboneError, match="a, b have units of their own") as error:
        cut_backbone("test_resnet", (32, 32), checkpoint_path=tmp_path / "w.safetensors")
    assert "hard plan" in str(error.value)


def test_the_same_seed_gives_the_same_numbers_with_every_plan(cut: CutBackbone) -> None:
    for depth in range(len(cut.units) + 1):
        plan = SharingPlan.from_splits(TASKS, [depth], len(cut.units))
        first, second = (
            run(build(cut, plan), tasks(*TASKS), Pictures(labels=TASKS), config(epochs=1))
            for _ in range(2)
        )
        assert first.epochs[0].train_losses == second.epochs[0].train_losses
        assert first.metrics == second.metrics


@pytest.mark.parametrize("accumulation_steps", [1, 2])
@pytest.mark.parametrize(
    "backbone",
    ["test_resnet", "test_efficientnet", "test_convnext", "test_nfnet", "test_byobnet", "test_vit"],
)
def test_every_gradient_lies_as_its_weight(backbone: str, accumulation_steps: int) -> None:
    """Torch's fused AdamW goes along memory, on a CPU without a look at strides."""
    cut = cut_backbone(backbone, (160, 160) if backbone == "test_vit" else (64, 64))
    network = build(cut, SharingPlan.from_splits(TASKS, [1], len(cut.units)))
    settings = config(
        channels_last=True, epochs=1, batch_size=12, accumulation_steps=accumulation_steps
    )
    run(network, tasks(*TASKS), Pictures(labels=TASKS), settings)
    trained = {name: at for name, at in network.named_parameters() if at.grad is not None}
    kernels = [at for at in trained.values() if at.ndim == 4 and not at.is_contiguous()]
    assert kernels
    for name, at in trained.items():
        extended = [dim for dim in range(at.ndim) if at.shape[dim] > 1]
        own, gradient = at.stride(), at.grad.stride()
        assert [own[dim] for dim in extended] == [gradient[dim] for dim in extended], name
