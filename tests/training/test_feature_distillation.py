"""Auxiliary losses between the features of tasks."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from mtlsearch.errors import TrainingError
from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Balancer, Batch, Settings
from mtlsearch.training import (
    AuxiliaryLoss,
    BalancerConfig,
    Precision,
    distillation_loss,
    micro_batches,
    mutual_loss,
    shared_groups,
)
from mtlsearch.training import _compile as compilation
from mtlsearch.training._feature_distillation import Adapters, NetworkWithAuxiliaryLoss
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._step import TrainingStep
from tests.training.fakes import Network, config, guesses, run
from tests.training.images import TASKS, Images, build, tasks

DATA = Images(labels=TASKS, labeled={"b": range(9)})


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def split_plan(cut: CutBackbone, depth: int = 2) -> SharingPlan:
    return SharingPlan.from_splits(TASKS, [depth], len(cut.units))


def perturbed(network: MultiTaskNetwork, seed: int = 1) -> MultiTaskNetwork:
    """Return a copy with different weights, like those of a trained network."""
    other = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return other


def teacher_for(cut: CutBackbone) -> MultiTaskNetwork:
    return perturbed(build(cut, SharingPlan.independent(TASKS, len(cut.units))))


def make_loss(
    network: MultiTaskNetwork, cut: CutBackbone, kind: str, alpha: float
) -> AuxiliaryLoss:
    if kind == "mutual":
        return mutual_loss(network, alpha)
    return distillation_loss(network, alpha, teacher_for(cut))


def distances(network: MultiTaskNetwork, loss: AuxiliaryLoss, images: Tensor) -> dict[str, Tensor]:
    return NetworkWithAuxiliaryLoss(network, loss.term)(images, TASKS)[1]


def images(count: int = 4) -> Tensor:
    (batch,) = DATA._batches(list(range(count)), count)
    return batch.images


def trained(
    cut: CutBackbone,
    kind: str | None,
    alpha: float = 1.0,
    data: Images = DATA,
    **changes: object,
) -> MultiTaskNetwork:
    network = build(cut, split_plan(cut))
    loss = None if kind is None else make_loss(network, cut, kind, alpha)
    run(network, tasks(*TASKS), data, config(epochs=1, **changes), auxiliary_loss=loss)
    return network


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_alpha_of_zero_changes_nothing(cut: CutBackbone, kind: str) -> None:
    # With clipping, the last bit would differ, because a longer sum is rounded differently.
    # With missing labels, BatchNorm would differ: distillation runs on all images.
    plain = trained(cut, None, data=Images(), clip_norm=None)
    with_term = trained(cut, kind, 0.0, data=Images(), clip_norm=None)
    for name, value in plain.state_dict().items():
        assert torch.equal(with_term.state_dict()[name], value), name


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_auxiliary_loss_changes_weights_but_not_the_network(cut: CutBackbone, kind: str) -> None:
    plain, with_term = trained(cut, None), trained(cut, kind)
    assert plain.state_dict().keys() == with_term.state_dict().keys()
    assert with_term.cost == plain.cost
    shared = zip(plain.shared_parameters(), with_term.shared_parameters(), strict=True)
    assert not any(torch.equal(first, second) for first, second in shared if first.ndim > 1)


def test_distance_from_an_equal_teacher_is_zero(cut: CutBackbone) -> None:
    student = build(cut, SharingPlan.independent(TASKS, len(cut.units))).eval()
    equal = distillation_loss(student, 1.0, copy.deepcopy(student))
    different = distillation_loss(student, 1.0, perturbed(student))
    for task in TASKS:
        assert torch.equal(distances(student, equal, images())[task], torch.zeros(4))
        assert (distances(student, different, images())[task] > 1e-3).all()


def test_distance_does_not_depend_on_scale(cut: CutBackbone) -> None:
    adapters = Adapters({"a": "a"}, 5)
    feature = torch.randn(3, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    for scale, expected in ((7.0, 0.0), (-7.0, 4.0)):
        distance = adapters.distance("a", feature, scale * feature)
        torch.testing.assert_close(distance, torch.full((3,), expected), atol=1e-4, rtol=0)


def test_gradient_of_a_zero_feature_is_finite() -> None:
    adapters = Adapters({"a": "a"}, 5)
    feature = torch.zeros(1, 5, 2, 2, requires_grad=True)
    adapters.distance("a", feature, torch.ones(1, 5, 2, 2)).sum().backward()
    assert feature.grad is not None
    assert feature.grad.isfinite().all()


def is_reached(parameter: Tensor) -> bool:
    return parameter.grad is not None and bool(parameter.grad.any())


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_distance_reaches_only_units_and_adapter_of_its_task(cut: CutBackbone, kind: str) -> None:
    network = perturbed(build(cut, split_plan(cut)))  # initially, all copies are equal
    loss = make_loss(network, cut, kind, 1.0)
    distances(network, loss, images())["a"].sum().backward()
    for unit in range(len(cut.units)):
        for group in network.plan.groups(unit):
            parameters = network.unit_parameters(unit, group).values()
            has_gradient = any(is_reached(parameter) for parameter in parameters)
            assert has_gradient == ("a" in group), (unit, group)
    for name, parameter in loss.term.named_parameters():
        assert is_reached(parameter) == (name == "adapters.maps.a.weight")


def test_teacher_does_not_change(cut: CutBackbone) -> None:
    network, teacher = build(cut, split_plan(cut)), teacher_for(cut)
    before = copy.deepcopy(teacher.state_dict())
    loss = distillation_loss(network, 1.0, teacher)
    run(network, tasks(*TASKS), DATA, config(epochs=1), auxiliary_loss=loss)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_mutual_loss_ignores_tasks_with_the_same_path(cut: CutBackbone) -> None:
    units = len(cut.units)
    hard = build(cut, SharingPlan.hard(TASKS, units))
    assert distances(hard, mutual_loss(hard, 1.0), images()) == {}
    split = build(cut, split_plan(cut, units - 1))
    assert set(distances(split, mutual_loss(split, 1.0), images())) == set(TASKS)


def gradients(
    cut: CutBackbone, kind: str, batch: Batch, count: int, has_balancer: bool = False
) -> dict[str, Tensor]:
    """Return the gradients of one step in evaluation mode, in which images are independent."""
    network = perturbed(build(cut, split_plan(cut))).eval()
    loss = make_loss(network, cut, kind, 0.7)
    learner = NetworkWithAuxiliaryLoss(network, loss.term)
    step = TrainingStep(
        learner,
        tasks(*TASKS),
        label_by_task={task: task for task in TASKS},
        loss_weights={"a": 0.5, "b": 3.0},
        optimizer=build_optimizer(learner, "sgd", learning_rate=0.1, weight_decay=0),
        precision=Precision(),
        clip_norm=None,
        balancer=BalancerConfig(SumBalancer.of, shared_groups(network)) if has_balancer else None,
        alpha=loss.alpha,
    )
    step(*micro_batches(batch, count))
    return {
        name: parameter.grad
        for name, parameter in learner.named_parameters()
        if parameter.grad is not None
    }


class SumBalancer(Balancer):
    """Sums the gradients of the tasks, as one backward pass does."""

    name = "sum"
    summary = "the sum"
    per_task_gradients = True

    @classmethod
    def of(cls, names: Sequence[str]) -> SumBalancer:
        return cls(Settings(), names)

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        return jacobian.sum(0)


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
@pytest.mark.parametrize("labeled", [range(9), range(2), range(6, 8)])
def test_micro_batches_have_the_gradient_of_the_batch(
    cut: CutBackbone, kind: str, labeled: range
) -> None:
    """Some micro batches have no label of a task, or none; the auxiliary loss needs no label."""
    data = Images(labels=TASKS, labeled={"a": range(5), "b": labeled})
    (batch,) = data._batches(list(range(8)), 8)
    expected, summed = gradients(cut, kind, batch, 1), gradients(cut, kind, batch, 4)
    assert expected.keys() == summed.keys()
    for name, value in expected.items():
        torch.testing.assert_close(summed[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_per_task_gradients_include_the_auxiliary_loss(cut: CutBackbone, kind: str) -> None:
    (batch,) = DATA._batches(list(range(8)), 8)
    expected, per_task = (
        gradients(cut, kind, batch, 1, has_balancer) for has_balancer in (False, True)
    )
    assert expected.keys() == per_task.keys()
    for name, value in expected.items():
        torch.testing.assert_close(per_task[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_bfloat16_gives_finite_weights(cut: CutBackbone, kind: str) -> None:
    network = trained(cut, kind, precision="bf16")
    assert all(parameter.isfinite().all() for parameter in network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_compiled_training_gives_the_same_weights(
    cut: CutBackbone, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def recording_backend(graph: torch.fx.GraphModule, inputs: object) -> object:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(compilation, "BACKEND", recording_backend)
    plain, compiled = trained(cut, kind), trained(cut, kind, compile=True)
    assert graphs
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], value, rtol=1e-3, atol=1e-4)


def test_network_without_features_raises(cut: CutBackbone) -> None:
    loss = AuxiliaryLoss(1.0, nn.Identity())
    with pytest.raises(TrainingError, match="MultiTaskNetwork, got Network"):
        run(Network("a"), guesses("a"), DATA, auxiliary_loss=loss)
