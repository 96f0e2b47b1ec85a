"""Realignment: what changes in a network with merged weights, and what stays."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from mtlsearch.errors import NonFiniteLossError, TrainingError
from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.training import evaluate, realign
from tests.training.fakes import CPU, config, make_job
from tests.training.images import TASKS, Images, build, tasks


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_efficientnet", (32, 32))


@pytest.fixture
def network(cut: CutBackbone) -> MultiTaskNetwork:
    return build(cut, SharingPlan.from_splits(TASKS, [2], len(cut.units)))


def norm_names(network: MultiTaskNetwork) -> set[str]:
    return {
        f"backbones.{name}"
        for name, module in network.backbones.named_modules()
        if isinstance(module, _BatchNorm)
    }


def test_realign_changes_heads_norms_and_statistics_only(network: MultiTaskNetwork) -> None:
    before = copy.deepcopy(network.state_dict())
    realign(make_job(network, tasks(*TASKS), Images()), num_images=24, num_steps=4)
    norms = norm_names(network)
    for name, value in network.state_dict().items():
        is_tuned = name.startswith("heads.") or name.rpartition(".")[0] in norms
        assert torch.equal(value, before[name]) != is_tuned, name


def test_statistics_are_the_mean_over_batches(cut: CutBackbone) -> None:
    data, settings = Images(), config(batch_size=8)
    network = build(cut, SharingPlan.hard(["a"], len(cut.units)))
    first = network.backbones.task_model("a").get_submodule("bn1")
    inputs = []
    handle = first.register_forward_pre_hook(lambda _, args: inputs.append(args[0].detach()))
    for module in network.backbones.modules():
        if isinstance(module, _BatchNorm):
            assert module.running_mean is not None
            module.running_mean.fill_(7.0)  # of a merged network: of no use
    job = make_job(network, tasks("a"), data, settings)
    realign(job, num_images=16, num_steps=0)
    handle.remove()
    used = inputs[:2]
    assert [len(value) for value in used] == [8, 8]
    mean = torch.stack([value.mean((0, 2, 3)) for value in used]).mean(0)
    variance = torch.stack([value.var((0, 2, 3)) for value in used]).mean(0)
    torch.testing.assert_close(first.running_mean, mean)
    torch.testing.assert_close(first.running_var, variance)
    assert first.momentum is not None


def test_metrics_are_those_of_the_realigned_network(network: MultiTaskNetwork) -> None:
    data = Images()
    job = make_job(network, tasks(*TASKS), data)
    metrics = realign(job, num_images=24, num_steps=3)
    batches = data.eval_batches("val", 8)
    again = evaluate(network, job.tasks, batches, job.label_by_task, CPU)
    assert metrics == again
    assert not network.training


def test_more_steps_lower_the_loss(cut: CutBackbone) -> None:
    metrics = {}
    for num_steps in (0, 60):
        network = build(cut, SharingPlan.hard(TASKS, len(cut.units)))
        job = make_job(network, tasks(*TASKS), Images(), learning_rate=0.02)
        metrics[num_steps] = realign(job, num_images=24, num_steps=num_steps)
    assert all(metrics[60][task]["accuracy"] > metrics[0][task]["accuracy"] + 0.2 for task in TASKS)


def test_realigning_twice_gives_equal_numbers(cut: CutBackbone) -> None:
    states = []
    for seed in (1, 2):
        network = build(cut, SharingPlan.hard(TASKS, len(cut.units)))
        torch.manual_seed(seed)
        realign(make_job(network, tasks(*TASKS), Images()), num_images=24, num_steps=3)
        states.append(network.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_batches_without_the_label_are_not_steps(network: MultiTaskNetwork) -> None:
    data = Images(labeled={"a": range(3), "b": range(3)})
    head = copy.deepcopy(network.head("a").state_dict())
    realign(make_job(network, tasks(*TASKS), data), num_images=8, num_steps=5)
    assert not torch.equal(network.head("a").state_dict()["linear.weight"], head["linear.weight"])


def test_no_label_at_all_is_an_error(network: MultiTaskNetwork) -> None:
    data = Images(labels=("c",))
    with pytest.raises(TrainingError, match="no training batch has a label of a or b"):
        realign(make_job(network, tasks(*TASKS), data), num_images=8, num_steps=2)


def test_infinite_loss_is_an_error(network: MultiTaskNetwork) -> None:
    data = Images(corrupt_value=float("nan"))
    with pytest.raises(NonFiniteLossError):
        realign(make_job(network, tasks(*TASKS), data), num_images=8, num_steps=2)
