"""Training of a multi-task network: which weights a sharing plan shares."""

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
from tests.training.images import TASKS, Images, build, tasks


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def parameters_of(network: MultiTaskNetwork, task: str) -> dict[str, Tensor]:
    """Return the parameters that the outputs of one task depend on."""
    prefixes = (f"backbones.{task}.", f"heads.{task}.")
    return {
        name: parameter
        for name, parameter in network.named_parameters()
        if name.startswith(prefixes)
    }


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_independent_plan_equals_single_task_networks(cut: CutBackbone, optimizer: str) -> None:
    settings = config(clip_norm=None, optimizer=optimizer)
    independent = build(cut, SharingPlan.independent(TASKS, len(cut.units)))
    data = Images(labels=TASKS, labeled={"b": range(9)})
    metrics = run(independent, tasks(*TASKS), data, settings).metrics
    for task in TASKS:
        single = build(cut, SharingPlan.hard([task], len(cut.units)))
        single_metrics = run(single, tasks(task), data, settings).metrics
        assert single_metrics[task] == metrics[task]
        expected = parameters_of(single, task)
        assert len(expected) > 20
        for name, value in parameters_of(independent, task).items():
            assert torch.equal(value, expected[name]), name


def test_shared_units_stay_shared_and_split_units_differ(cut: CutBackbone) -> None:
    plan = SharingPlan.from_splits(TASKS, [2], len(cut.units))
    network = build(cut, plan)
    run(network, tasks(*TASKS), Images(labels=TASKS))
    first = network.unit_parameters(0, TASKS)
    last = len(cut.units) - 1
    last_a, last_b = (network.unit_parameters(last, (task,)) for task in TASKS)
    first_b = network.backbones.unit_parameters(0, "b")
    assert all(parameter is first_b[name] for name, parameter in first.items())
    assert any(not torch.equal(last_a[name], last_b[name]) for name in last_a)


def test_saved_weights_give_the_same_outputs(cut: CutBackbone, tmp_path: Path) -> None:
    plan = SharingPlan.from_splits(TASKS, [1], len(cut.units))
    network, loaded = build(cut, plan), build(cut, plan)
    run(network, tasks(*TASKS), Images(labels=TASKS))
    save_weights(network, tmp_path / "w.safetensors")
    load_weights(loaded, tmp_path / "w.safetensors")
    network.to(memory_format=torch.contiguous_format)  # sums have the same order
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        outputs, expected = loaded.eval()(images), network.eval()(images)
    for task in TASKS:
        assert torch.equal(outputs[task]["scores"], expected[task]["scores"])


def test_hard_trial_can_be_the_checkpoint_of_a_run(cut: CutBackbone, tmp_path: Path) -> None:
    """With every plan, all copies of a unit start from the trained weights."""
    hard = build(cut, SharingPlan.hard(TASKS, len(cut.units)))
    run(hard, tasks(*TASKS), Images(labels=TASKS), config(epochs=1))
    save_weights(hard, tmp_path / "w.safetensors")
    warm = cut_backbone("test_resnet", (32, 32), checkpoint_path=tmp_path / "w.safetensors")
    network = build(warm, SharingPlan.independent(TASKS, len(cut.units)))
    trained = hard.backbones.task_model("a").state_dict()
    for task in TASKS:
        for name, value in network.backbones.task_model(task).state_dict().items():
            assert torch.equal(value, trained[name]), name


@pytest.mark.parametrize("depth", [0, 1])
def test_trial_with_split_tasks_is_refused_as_checkpoint(
    cut: CutBackbone, tmp_path: Path, depth: int
) -> None:
    split = build(cut, SharingPlan.from_splits(TASKS, [depth], len(cut.units)))
    run(split, tasks(*TASKS), Images(labels=TASKS), config(epochs=1))
    save_weights(split, tmp_path / "w.safetensors")
    with pytest.raises(BackboneError, match="a, b have units of their own") as error:
        cut_backbone("test_resnet", (32, 32), checkpoint_path=tmp_path / "w.safetensors")
    assert "hard plan" in str(error.value)


def test_same_seed_gives_identical_numbers_with_every_plan(cut: CutBackbone) -> None:
    for depth in range(len(cut.units) + 1):
        plan = SharingPlan.from_splits(TASKS, [depth], len(cut.units))
        first, second = (
            run(build(cut, plan), tasks(*TASKS), Images(labels=TASKS), config(epochs=1))
            for _ in range(2)
        )
        assert first.epochs[0].train_losses == second.epochs[0].train_losses
        assert first.metrics == second.metrics


@pytest.mark.parametrize("accumulation_steps", [1, 2])
@pytest.mark.parametrize(
    "backbone",
    ["test_resnet", "test_efficientnet", "test_convnext", "test_nfnet", "test_byobnet", "test_vit"],
)
def test_gradients_have_the_memory_order_of_their_weights(
    backbone: str, accumulation_steps: int
) -> None:
    """On a CPU, torch's fused AdamW ignores strides."""
    cut = cut_backbone(backbone, (160, 160) if backbone == "test_vit" else (64, 64))
    network = build(cut, SharingPlan.from_splits(TASKS, [1], len(cut.units)))
    settings = config(
        channels_last=True, epochs=1, batch_size=12, accumulation_steps=accumulation_steps
    )
    run(network, tasks(*TASKS), Images(labels=TASKS), settings)
    trained = {
        name: parameter
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }
    assert any(
        parameter.ndim == 4 and not parameter.is_contiguous() for parameter in trained.values()
    )
    for name, parameter in trained.items():
        dims = [dim for dim in range(parameter.ndim) if parameter.shape[dim] > 1]
        strides, gradient_strides = parameter.stride(), parameter.grad.stride()
        assert [strides[dim] for dim in dims] == [gradient_strides[dim] for dim in dims], name
