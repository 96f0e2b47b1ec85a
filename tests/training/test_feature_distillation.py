"""Tasks learn from features, besides their labels."""

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
    mutual_loss,
    shared_groups,
    train,
)
from mtlsearch.training import _compile as compiling
from mtlsearch.training._adapter import Adapters
from mtlsearch.training._feature_distillation import NetworkWithAuxiliaryLoss
from mtlsearch.training._micro_batches import micro_batches
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._step import TrainingStep
from tests.training.fakes import CPU, Network, config, guesses
from tests.training.pictures import TASKS, Pictures, build, tasks

DATA = Pictures(labels=TASKS, labelled={"b": range(9)})


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def parted(cut: CutBackbone, depth: int = 2) -> SharingPlan:
    return SharingPlan.from_splits(TASKS, [depth], len(cut.units))


def other_than(network: MultiTaskNetwork, seed: int = 1) -> MultiTaskNetwork:
    """One with other weights, as a trained network has."""
    other = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return other


def teacher_for(cut: CutBackbone) -> MultiTaskNetwork:
    return other_than(build(cut, SharingPlan.independent(TASKS, len(cut.units))))


def lesson_for(
    network: MultiTaskNetwork, cut: CutBackbone, kind: str, alpha: float
) -> AuxiliaryLoss:
    if kind == "mutual":
        return mutual_loss(network, alpha)
    return distillation_loss(network, alpha, teacher_for(cut))


def distances(
    network: MultiTaskNetwork, lesson: AuxiliaryLoss, images: Tensor
) -> dict[str, Tensor]:
    return NetworkWithAuxiliaryLoss(network, lesson.term)(images, TASKS)[1]


def images(count: int = 4) -> Tensor:
    (batch,) = DATA._batches(list(range(count)), count)
    return batch.images


def trained(
    cut: CutBackbone, kind: str | None, alpha: float = 1.0, **changes: object
) -> MultiTaskNetwork:
    network = build(cut, parted(cut))
    settings = config(epochs=1, **changes)
    train(
        network,
        tasks(*TASKS),
        DATA,
        settings,
        labels_of={task: task for task in TASKS},
        loss_weights=dict.fromkeys(TASKS, 1.0),
        learning_rate=0.01,
        device=CPU,
        seed=0,
        lesson=None if kind is None else lesson_for(network, cut, kind, alpha),
    )
    return network


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_a_term_that_counts_for_nothing_changes_nothing(cut: CutBackbone, kind: str) -> None:
    # Clipped, the last bit would differ: a sum over more gradients is rounded otherwise.
    plain = trained(cut, None, clip_norm=None)
    with_term = trained(cut, kind, 0.0, clip_norm=None)
    for name, value in plain.state_dict().items():
        assert torch.equal(with_term.state_dict()[name], value), name


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_one_that_counts_changes_the_training_but_not_the_network(
    cut: CutBackbone, kind: str
) -> None:
    plain, with_term = trained(cut, None), trained(cut, kind)
    assert plain.state_dict().keys() == with_term.state_dict().keys()
    assert with_term.cost == plain.cost
    shared = zip(plain.shared_parameters(), with_term.shared_parameters(), strict=True)
    assert not any(torch.equal(one, other) for one, other in shared if one.ndim > 1)


def test_a_student_like_its_teacher_is_at_no_distance(cut: CutBackbone) -> None:
    student = build(cut, SharingPlan.independent(TASKS, len(cut.units))).eval()
    alike = distillation_loss(student, 1.0, copy.deepcopy(student))
    unlike = distillation_loss(student, 1.0, other_than(student))
    for task in TASKS:
        assert torch.equal(distances(student, alike, images())[task], torch.zeros(4))
        assert (distances(student, unlike, images())[task] > 1e-3).all()


def test_distances_are_of_directions(cut: CutBackbone) -> None:
    adapters = Adapters({"a": "a"}, 5)
    feature = torch.randn(3, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    for scale, expected in ((7.0, 0.0), (-7.0, 4.0)):
        found = adapters.distance("a", feature, scale * feature)
        torch.testing.assert_close(found, torch.full((3,), expected), atol=1e-4, rtol=0)


def test_where_a_feature_is_zero_the_gradient_is_finite() -> None:
    adapters = Adapters({"a": "a"}, 5)
    feature = torch.zeros(1, 5, 2, 2, requires_grad=True)
    adapters.distance("a", feature, torch.ones(1, 5, 2, 2)).sum().backward()
    assert feature.grad is not None
    assert feature.grad.isfinite().all()


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_a_tasks_term_reaches_what_it_uses_and_its_adapter_alone(
    cut: CutBackbone, kind: str
) -> None:
    network = other_than(build(cut, parted(cut)))  # at first, all copies are alike
    lesson = lesson_for(network, cut, kind, 1.0)
    distances(network, lesson, images())["a"].sum().backward()
    for unit in range(len(cut.units)):
        for group in network.plan.groups(unit):
            reached = any(
                at.grad is not None and bool(at.grad.any())
                for at in network.unit_parameters(unit, group).values()
            )
            assert reached == ("a" in group), (unit, group)
    for name, at in lesson.term.named_parameters():
        assert (at.grad is not None and bool(at.grad.any())) == (name == "adapters.maps.a.weight")


def test_the_teacher_stays_as_it_is(cut: CutBackbone) -> None:
    network, teacher = build(cut, parted(cut)), teacher_for(cut)
    before = copy.deepcopy(teacher.state_dict())
    train(
        network,
        tasks(*TASKS),
        DATA,
        config(epochs=1),
        labels_of={task: task for task in TASKS},
        loss_weights=dict.fromkeys(TASKS, 1.0),
        learning_rate=0.01,
        device=CPU,
        seed=0,
        lesson=distillation_loss(network, 1.0, teacher),
    )
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_tasks_on_one_way_have_nothing_to_learn_from_each_other(cut: CutBackbone) -> None:
    units = len(cut.units)
    hard = build(cut, SharingPlan.hard(TASKS, units))
    assert distances(hard, mutual_loss(hard, 1.0), images()) == {}
    apart = build(cut, parted(cut, units - 1))
    assert set(distances(apart, mutual_loss(apart, 1.0), images())) == set(TASKS)


def gradients(
    cut: CutBackbone, kind: str, batch: Batch, parts: int, balancer: bool = False
) -> dict[str, Tensor]:
    """Of one step in evaluation mode, in which images know nothing of each other."""
    network = other_than(build(cut, parted(cut))).eval()
    lesson = lesson_for(network, cut, kind, 0.7)
    learner = NetworkWithAuxiliaryLoss(network, lesson.term)
    step = TrainingStep(
        learner,
        tasks(*TASKS),
        labels_of={task: task for task in TASKS},
        loss_weights={"a": 0.5, "b": 3.0},
        optimizer=build_optimizer(learner, "sgd", learning_rate=0.1, weight_decay=0),
        precision=Precision(),
        clip_norm=None,
        balancer=BalancerConfig(Summing.of, shared_groups(network)) if balancer else None,
        alpha=lesson.alpha,
    )
    step(*micro_batches(batch, parts))
    return {name: at.grad for name, at in learner.named_parameters() if at.grad is not None}


class Summing(Balancer):
    """Makes of gradients what one backward pass makes of them."""

    name = "summing"
    summary = "the sum"
    per_task_gradients = True

    @classmethod
    def of(cls, names: Sequence[str]) -> Summing:
        return cls(Settings(), names)

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        return jacobian.sum(0)


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
@pytest.mark.parametrize("labelled", [range(9), range(2), range(6, 8)])
def test_parts_have_the_gradient_of_the_batch_whatever_is_labelled(
    cut: CutBackbone, kind: str, labelled: range
) -> None:
    """Parts without any label of a task, or of all, among them: a lesson needs no label."""
    data = Pictures(labels=TASKS, labelled={"a": range(5), "b": labelled})
    (batch,) = data._batches(list(range(8)), 8)
    whole, parts = gradients(cut, kind, batch, 1), gradients(cut, kind, batch, 4)
    assert whole.keys() == parts.keys()
    for name, at in whole.items():
        torch.testing.assert_close(parts[name], at, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_gradients_taken_task_by_task_have_each_tasks_term(cut: CutBackbone, kind: str) -> None:
    (batch,) = DATA._batches(list(range(8)), 8)
    once, by_task = (gradients(cut, kind, batch, 1, balancer) for balancer in (False, True))
    assert once.keys() == by_task.keys()
    for name, at in once.items():
        torch.testing.assert_close(by_task[name], at, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_bfloat16_trains(cut: CutBackbone, kind: str) -> None:
    network = trained(cut, kind, precision="bf16")
    assert all(at.isfinite().all() for at in network.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["baseline", "mutual"])
def test_compiled_it_trains_to_the_same(
    cut: CutBackbone, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def counting(graph: torch.fx.GraphModule, inputs: object) -> object:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(compiling, "BACKEND", counting)
    plain, through = trained(cut, kind), trained(cut, kind, compile=True)
    assert graphs
    for name, at in plain.state_dict().items():
        torch.testing.assert_close(through.state_dict()[name], at, rtol=1e-3, atol=1e-4)


def test_networks_without_features_are_refused(cut: CutBackbone) -> None:
    with pytest.raises(TrainingError, match="which Network does not name"):
        train(
            Network("a"),
            guesses("a"),
            DATA,
            config(),
            labels_of={"a": "a"},
            loss_weights={"a": 1.0},
            learning_rate=0.01,
            device=CPU,
            seed=0,
            lesson=AuxiliaryLoss(1.0, nn.Identity()),
        )
