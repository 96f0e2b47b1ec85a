"""What balancing keeps to, whatever the balancer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtlsearch.errors import TrainingError
from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import STATIC, Balancer, Settings, Task
from mtlsearch.registry import build_registry
from mtlsearch.training import (
    BalancerConfig,
    Precision,
    ProcessGroup,
    SharedGroup,
    TrainingResult,
    check_balancer_compatible,
    shared_groups,
    train,
)
from tests.training.fakes import CLASSES, CPU, Points, config, guesses
from tests.training.pictures import Pictures, build, tasks

NAMES = ("a", "b", "c")
BALANCERS = build_registry().balancers
SINGLE_PROCESS = ProcessGroup()
FEW = ("static", "uw", "famo", "upgrad")
"""One of each sort, where a real backbone is what is tested."""


class Tree(nn.Module):
    """A trunk for all, a layer for two of three tasks, an own layer for each."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.trunk = nn.Sequential(
                nn.Flatten(), nn.Linear(48, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2)
            )
            self.pair = nn.Linear(16, 16)
            self.heads = nn.ModuleDict({task: nn.Linear(16, CLASSES) for task in NAMES})

    def forward(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, dict[str, Tensor]]:
        shared = self.trunk(images)
        deep = {"a": shared, "b": self.pair(shared).relu(), "c": self.pair(shared).relu()}
        return {at: {"scores": self.heads[at](deep[at])} for at in tasks or NAMES}

    @property
    def parts(self) -> list[SharedGroup]:
        return [
            SharedGroup(NAMES, tuple(self.trunk.parameters())),
            SharedGroup(("b", "c"), tuple(self.pair.parameters())),
        ]


def maker(name: str) -> Callable[[Sequence[str]], Balancer[Any]]:
    kind = BALANCERS[name]
    return lambda tasks: kind(kind.Settings(), tasks)


def fit(
    network: nn.Module,
    balancer: BalancerConfig | None,
    data: Points,
    kinds: dict[str, Task],
    *,
    ranks: ProcessGroup = SINGLE_PROCESS,
    **changes: Any,
) -> TrainingResult:
    return train(
        network,
        kinds,
        data,
        config(**{"epochs": 1, **changes}),
        labels_of={name: name for name in kinds},
        loss_weights=dict.fromkeys(kinds, 1.0),
        learning_rate=0.01,
        device=CPU,
        seed=0,
        ranks=ranks,
        balancer=balancer,
    )


def trained(name: str | None, data: Points | None = None, **changes: Any) -> dict[str, Tensor]:
    """The weights of a small tree after training."""
    network = Tree()
    balancer = None if name is None else BalancerConfig(maker(name), network.parts)
    fit(network, balancer, data or Points(labels=NAMES), guesses(*NAMES), **changes)
    return {at: value.detach() for at, value in network.named_parameters()}


@pytest.mark.parametrize("name", BALANCERS)
def test_every_weight_learns_and_the_same_seed_gives_the_same(name: str) -> None:
    start = dict(Tree().named_parameters())
    first, second = trained(name), trained(name)
    for at, value in first.items():
        assert value.isfinite().all(), at
        assert not torch.equal(value, start[at]), at
        assert torch.equal(value, second[at]), at


SOME = {"a": range(0, 24, 2), "b": range(6), "c": range(12, 24)}


@pytest.mark.parametrize("name", BALANCERS)
def test_missing_labels_are_ordinary(name: str) -> None:
    """Batches of three images: some carry one label, some two, some all."""
    found = trained(name, Points(labels=NAMES, labelled=SOME), batch_size=3)
    assert all(value.isfinite().all() for value in found.values())


@pytest.mark.parametrize("name", BALANCERS)
def test_a_task_that_is_never_there_is_not_moved(name: str) -> None:
    data = Points(labels=NAMES, labelled={"c": range(0)})
    start, network = dict(Tree().named_parameters()), Tree()
    with pytest.raises(TrainingError, match="no training image has a label for c"):
        fit(network, BalancerConfig(maker(name), network.parts), data, guesses(*NAMES))
    for at, value in network.named_parameters():
        assert torch.equal(value, start[at]) == at.startswith("heads.c"), at


@pytest.mark.parametrize("name", BALANCERS)
def test_bfloat16_will_do(name: str) -> None:
    assert all(value.isfinite().all() for value in trained(name, precision="bf16").values())


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def one_batch(network: MultiTaskNetwork, name: str | None, data: Points) -> dict[str, Tensor]:
    """Every weight's gradient from one batch, unclipped; gradients stay after the last step.

    In torch's own memory order, as a loop written by hand has it.
    """
    balancer = None if name is None else BalancerConfig(maker(name), shared_groups(network))
    settings = {"batch_size": 24, "clip_norm": None, "optimizer": "sgd", "weight_decay": 0}
    fit(network, balancer, data, tasks(*network.tasks), channels_last=False, **settings)
    return {at: value.grad for at, value in network.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("name", FEW)
def test_where_nothing_is_shared_nothing_is_balanced(cut: CutBackbone, name: str) -> None:
    """The single-task networks, bit for bit."""
    plan = SharingPlan.independent(("a", "b"), len(cut.units))
    plain, network = build(cut, plan), build(cut, plan)
    expected = one_batch(plain, None, Pictures(labels=("a", "b")))
    found = one_batch(network, name, Pictures(labels=("a", "b")))
    assert all(torch.equal(found[at], value) for at, value in expected.items())


@pytest.mark.parametrize("name", FEW)
def test_the_memory_order_of_weights_changes_nothing(cut: CutBackbone, name: str) -> None:
    """A gradient lies as its parameter does, which fused optimizers do not check everywhere."""
    data, settings = Pictures(labels=NAMES), {"batch_size": 24, "epochs": 2, "optimizer": "sgd"}
    found = []
    for channels_last in (False, True):
        network = build(cut, tree(len(cut.units)))
        balancer = BalancerConfig(maker(name), shared_groups(network))
        fit(network, balancer, data, tasks(*NAMES), channels_last=channels_last, **settings)
        found.append(dict(network.named_parameters()))
    for at, value in found[1].items():
        assert value.grad is None or value.grad.stride() == value.stride(), at
        torch.testing.assert_close(value, found[0][at], rtol=1e-3, atol=1e-4)


def test_static_is_the_weighted_sum_bit_for_bit(cut: CutBackbone) -> None:
    """Against a training loop as one writes it by hand."""
    plan = SharingPlan.from_splits(NAMES, [3, 1], len(cut.units))
    data = Pictures(labels=NAMES)
    network = build(cut, plan).train()
    batch = next(iter(data.train_batches(0, 24)))
    outputs = network(batch.images)
    losses = [F.cross_entropy(outputs[at]["scores"], batch.targets[at].values) for at in NAMES]
    torch.stack(losses).sum().backward()
    expected = {at: value.grad for at, value in network.named_parameters()}
    for name in ("static", None):
        found = one_batch(build(cut, plan), name, data)
        assert set(found) == {at for at, value in expected.items() if value is not None}
        assert all(torch.equal(found[at], expected[at]) for at in found)


def tree(units: int) -> SharingPlan:
    return SharingPlan.from_splits(NAMES, [3, 1], units)


def rejoining(units: int) -> SharingPlan:
    """Tasks that part come together again, with statistics for each way that leads there."""
    rows = [(0, 0, 0), (0, 1, 1), (0, 0, 1), *[(0, 1, 0)] * (units - 3)]
    return SharingPlan(NAMES, tuple(rows)).with_statistics("path")


def skipping(units: int) -> SharingPlan:
    """All share all, but for one task that passes by a unit."""
    return SharingPlan.hard(NAMES, units).with_skips({1: ["b"]}).with_statistics("path")


@pytest.mark.parametrize(
    ("shape", "name"),
    [(tree, "upgrad"), (tree, "mgda"), (tree, "imtl_g"), (rejoining, "mgda"), (skipping, "mgda")],
)
def test_each_units_gradient_is_combined_over_the_tasks_of_its_group(
    cut: CutBackbone, shape: Callable[[int], SharingPlan], name: str
) -> None:
    """Against Jacobians from one single-task backward pass a task; own weights are left alone."""
    plan = shape(len(cut.units))
    data = Pictures(labels=NAMES)
    batch = next(iter(data.train_batches(0, 24)))
    network = build(cut, plan)
    rows: dict[str, dict[str, Tensor]] = {}
    for task in NAMES:
        alone = build(cut, plan).train()
        outputs = alone(batch.images)
        F.cross_entropy(outputs[task]["scores"], batch.targets[task].values).backward()
        rows[task] = {
            at: value.grad for at, value in alone.named_parameters() if value.grad is not None
        }
    found = one_batch(network, name, data)
    names = {id(value): at for at, value in network.named_parameters()}
    shared: set[str] = set()
    for unit in range(len(cut.units)):
        for group in plan.groups(unit):
            keys = [names[id(at)] for at in network.unit_parameters(unit, group).values()]
            keys = [at for at in keys if at in found]
            if len(group) == 1 or not keys:
                continue
            shared.update(keys)
            jacobian = torch.stack(
                [torch.cat([rows[task][at].flatten() for at in keys]) for task in group]
            )
            expected = maker(name)(group).combine(jacobian, group)
            flat = torch.cat([found[at].flatten() for at in keys])
            torch.testing.assert_close(flat, expected, rtol=1e-3, atol=1e-5)
    assert len(shared) > 10
    own = {at: value for task in NAMES for at, value in rows[task].items() if at not in shared}
    assert len(own) >= 2 * len(NAMES)  # the heads at least
    assert all(torch.equal(found[at], value) for at, value in own.items())


@pytest.mark.parametrize("name", FEW)
def test_the_same_weights_get_a_gradient_as_without(cut: CutBackbone, name: str) -> None:
    plan = SharingPlan.from_splits(("a", "b"), [3], len(cut.units))
    data = Pictures(labels=("a", "b"))
    expected = one_batch(build(cut, plan), None, data)
    found = one_batch(build(cut, plan), name, data)
    assert set(found) == set(expected)
    assert all(value.isfinite().all() for value in found.values())


class Loud(Balancer):
    """Remembers what it is asked."""

    name = "loud"
    summary = "remembers"
    per_task_gradients = True
    remeasures_losses = True
    asked: list[tuple[str, tuple[str, ...], tuple[str, ...]]]

    def note(self, what: str, tasks: Sequence[str]) -> None:
        self.asked.append((what, self.tasks, tuple(tasks)))

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> None:
        self.note("weigh", tasks)

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        self.note("combine", tasks)
        return super().combine(jacobian, tasks)

    def after_step(self, losses: Tensor, tasks: Sequence[str]) -> None:
        self.note("after", tasks)

    def epoch_ended(self) -> None:
        self.note("epoch", self.tasks)


def test_who_is_asked_what(cut: CutBackbone) -> None:
    """Losses once a connected set, gradients once a unit and group, with those who are there."""
    groups = [[["a", "b", "c"], ["d"]]] * 2 + [[["a"], ["b", "c"], ["d"]]] * (len(cut.units) - 2)
    network = build(cut, SharingPlan.from_groups(groups))
    Loud.asked = []
    data = Pictures(labels=network.tasks, labelled={"a": range(12)})

    class Ordered(Pictures):
        def train_batches(self, epoch, batch_size):
            yield from self._batches(list(range(self.images)), batch_size)

    balancer = BalancerConfig(lambda tasks: Loud(Settings(), tasks), shared_groups(network))
    ordered = Ordered(labels=network.tasks, labelled=data.labelled)
    fit(network, balancer, ordered, tasks(*network.tasks), batch_size=12)
    three, two = ("a", "b", "c"), ("b", "c")
    steps = [at for at in Loud.asked if at[0] in ("weigh", "after")]
    assert steps == [(what, three, who) for who in (three, two) for what in ("weigh", "after")]
    combined = [at[1:] for at in Loud.asked if at[0] == "combine"]
    assert {own for own, _ in combined} == {three, two}
    assert {who for own, who in combined if own == two} == {two}
    assert {who for own, who in combined if own == three} == {three, two}
    assert sum(at[0] == "epoch" for at in Loud.asked) == 1 + len(shared_groups(network))


def test_measuring_again_leaves_running_statistics_alone() -> None:
    """As if the losses had not been measured a second time; without dropout, bit for bit."""

    class Again(Balancer):
        name = "again"
        summary = "measures and does nothing"
        remeasures_losses = True

    class Once(Balancer):
        name = "once"
        summary = "does nothing"

    states = []
    for kind in (Once, Again):
        network = Tree()
        network.trunk[4].p = 0.0
        balancer = BalancerConfig(lambda tasks, kind=kind: kind(Settings(), tasks), network.parts)
        fit(network, balancer, Points(labels=NAMES), guesses(*NAMES))
        states.append(network.state_dict())
    assert all(torch.equal(states[0][at], value) for at, value in states[1].items())


HALF, WHOLE = Precision(torch.float16), Precision(torch.bfloat16)


@pytest.mark.parametrize("name", BALANCERS)
def test_what_does_not_work_is_refused_with_the_way_out(name: str) -> None:
    kind = BALANCERS[name]
    check_balancer_compatible(kind, precision=WHOLE)
    whole_batches = name != STATIC
    for way, refused, way_out in (
        ({"precision": HALF}, kind.per_task_gradients, "bf16 or fp32"),
        ({"precision": WHOLE, "compiles": True}, kind.per_task_gradients, "compile: false"),
        ({"precision": WHOLE, "parts": 2}, whole_batches, "accumulation_steps: 1"),
        ({"precision": WHOLE, "processes": 2}, whole_batches, "one device"),
    ):
        if not refused:
            check_balancer_compatible(kind, **way)
            continue
        with pytest.raises(TrainingError, match=f"balance '{name}'") as error:
            check_balancer_compatible(kind, **way)
        assert way_out in str(error.value)


@pytest.mark.parametrize(
    ("changes", "ranks", "way_out"),
    [
        ({"compile": True}, ProcessGroup(), "compile: false"),
        ({"accumulation_steps": 2}, ProcessGroup(), "accumulation_steps: 1"),
        ({}, ProcessGroup(0, 2), "one device"),
    ],
)
def test_training_refuses_it_before_the_first_step(
    changes: dict[str, Any], ranks: ProcessGroup, way_out: str
) -> None:
    network = Tree()
    with pytest.raises(TrainingError) as error:
        fit(
            network,
            BalancerConfig(maker("mgda"), network.parts),
            Points(labels=NAMES),
            guesses(*NAMES),
            ranks=ranks,
            **changes,
        )
    assert error.value.where == "search.balancer"
    assert way_out in str(error.value)
    assert all(at.grad is None for at in network.parameters())


def test_static_balancing_in_parts_is_none_bit_for_bit() -> None:
    expected, found = trained(None, accumulation_steps=3), trained("static", accumulation_steps=3)
    assert all(torch.equal(found[at], value) for at, value in expected.items())


class Tight(Tree):
    """A network on a device that holds four images."""

    def forward(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, dict[str, Tensor]]:
        if len(images) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(images, tasks)


@pytest.mark.parametrize("name", ["uw", "famo", "mgda"])
def test_a_batch_that_must_be_whole_is_not_parted_where_memory_runs_out(name: str) -> None:
    """A balancer would be told of one batch several times, and each time of a part."""
    network = Tight()
    with pytest.raises(TrainingError, match=f"a batch, which balance '{name}' needs whole"):
        fit(
            network,
            BalancerConfig(maker(name), network.parts),
            Points(labels=NAMES),
            guesses(*NAMES),
        )


@pytest.mark.parametrize(("name", "shares"), [("static", True), ("uw", False)])
def test_what_is_not_balanced_is_parted_where_memory_runs_out(name: str, shares: bool) -> None:
    network = Tight()
    balancer = BalancerConfig(maker(name), network.parts if shares else [])
    found = fit(network, balancer, Points(labels=NAMES), guesses(*NAMES))
    assert found.parts == 2
