"""Properties of balancing with every balancer."""

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
)
from tests.training.fakes import CLASSES, Points, config, guesses, run
from tests.training.images import Images, build, tasks

NAMES = ("a", "b", "c")
BALANCERS = build_registry().balancers
REPRESENTATIVE = ("static", "uw", "famo", "upgrad")
"""One balancer per method, for tests with a real backbone."""


class Tree(nn.Module):
    """A trunk for three tasks, a layer for two of them, and one head per task."""

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
        return {task: {"scores": self.heads[task](deep[task])} for task in tasks or NAMES}

    @property
    def groups(self) -> list[SharedGroup]:
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
    process_group: ProcessGroup | None = None,
    **changes: Any,
) -> TrainingResult:
    settings = config(**{"epochs": 1, **changes})
    group = process_group or ProcessGroup()
    return run(network, kinds, data, settings, process_group=group, balancer=balancer)


def trained(name: str | None, data: Points | None = None, **changes: Any) -> dict[str, Tensor]:
    """Return the weights of a small tree after training."""
    network = Tree()
    balancer = None if name is None else BalancerConfig(maker(name), network.groups)
    fit(network, balancer, data or Points(labels=NAMES), guesses(*NAMES), **changes)
    return {key: value.detach() for key, value in network.named_parameters()}


@pytest.mark.parametrize("name", BALANCERS)
def test_all_weights_change_and_depend_only_on_the_seed(name: str) -> None:
    start = dict(Tree().named_parameters())
    first, second = trained(name), trained(name)
    for key, value in first.items():
        assert value.isfinite().all(), key
        assert not torch.equal(value, start[key]), key
        assert torch.equal(value, second[key]), key


SOME_LABELS = {"a": range(0, 24, 2), "b": range(6), "c": range(12, 24)}


@pytest.mark.parametrize("name", BALANCERS)
def test_missing_labels_give_finite_weights(name: str) -> None:
    """Batches of three images with one label, two labels or all."""
    weights = trained(name, Points(labels=NAMES, labeled=SOME_LABELS), batch_size=3)
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize("name", BALANCERS)
def test_task_without_any_label_is_not_updated(name: str) -> None:
    data = Points(labels=NAMES, labeled={"c": range(0)})
    start, network = dict(Tree().named_parameters()), Tree()
    with pytest.raises(TrainingError, match="no training image has a label for c"):
        fit(network, BalancerConfig(maker(name), network.groups), data, guesses(*NAMES))
    for key, value in network.named_parameters():
        assert torch.equal(value, start[key]) == key.startswith("heads.c"), key


@pytest.mark.parametrize("name", BALANCERS)
def test_bfloat16_gives_finite_weights(name: str) -> None:
    assert all(value.isfinite().all() for value in trained(name, precision="bf16").values())


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def gradients_of(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.grad for key, value in network.named_parameters() if value.grad is not None}


def one_batch(network: MultiTaskNetwork, name: str | None, data: Points) -> dict[str, Tensor]:
    """Return the gradients of one batch, without clipping, in torch's default memory order.

    They are still there after the last step.
    """
    balancer = None if name is None else BalancerConfig(maker(name), shared_groups(network))
    settings = {"batch_size": 24, "clip_norm": None, "optimizer": "sgd", "weight_decay": 0}
    fit(network, balancer, data, tasks(*network.tasks), channels_last=False, **settings)
    return gradients_of(network)


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_independent_plan_is_not_balanced(cut: CutBackbone, name: str) -> None:
    """The gradients are those of single-task networks, bit for bit."""
    plan = SharingPlan.independent(("a", "b"), len(cut.units))
    plain, network = build(cut, plan), build(cut, plan)
    expected = one_batch(plain, None, Images(labels=("a", "b")))
    gradients = one_batch(network, name, Images(labels=("a", "b")))
    assert all(torch.equal(gradients[key], value) for key, value in expected.items())


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_memory_order_does_not_change_the_weights(cut: CutBackbone, name: str) -> None:
    """A gradient has the memory order of its parameter, which fused optimizers assume."""
    data, settings = Images(labels=NAMES), {"batch_size": 24, "epochs": 2, "optimizer": "sgd"}
    weights = []
    for channels_last in (False, True):
        network = build(cut, tree(len(cut.units)))
        balancer = BalancerConfig(maker(name), shared_groups(network))
        fit(network, balancer, data, tasks(*NAMES), channels_last=channels_last, **settings)
        weights.append(dict(network.named_parameters()))
    for key, value in weights[1].items():
        assert value.grad is None or value.grad.stride() == value.stride(), key
        torch.testing.assert_close(value, weights[0][key], rtol=1e-3, atol=1e-4)


def test_static_balancer_equals_the_weighted_sum(cut: CutBackbone) -> None:
    """Equal to a hand-written training step, bit for bit."""
    plan = SharingPlan.from_splits(NAMES, [3, 1], len(cut.units))
    data = Images(labels=NAMES)
    network = build(cut, plan).train()
    batch = next(iter(data.train_batches(0, 24)))
    outputs = network(batch.images)
    losses = [
        F.cross_entropy(outputs[task]["scores"], batch.targets[task].values) for task in NAMES
    ]
    torch.stack(losses).sum().backward()
    expected = gradients_of(network)
    for name in ("static", None):
        gradients = one_batch(build(cut, plan), name, data)
        assert set(gradients) == set(expected)
        assert all(torch.equal(gradients[key], expected[key]) for key in gradients)


def tree(units: int) -> SharingPlan:
    return SharingPlan.from_splits(NAMES, [3, 1], units)


def rejoining(units: int) -> SharingPlan:
    """Return a plan in which separated tasks share again, with statistics per path."""
    rows = [(0, 0, 0), (0, 1, 1), (0, 0, 1), *[(0, 1, 0)] * (units - 3)]
    return SharingPlan(NAMES, tuple(rows)).with_statistics("path")


def skipping(units: int) -> SharingPlan:
    """Return the hard plan, except that one task skips a unit."""
    return SharingPlan.hard(NAMES, units).with_skips({1: ["b"]}).with_statistics("path")


@pytest.mark.parametrize(
    ("shape", "name"),
    [(tree, "upgrad"), (tree, "mgda"), (tree, "imtl_g"), (rejoining, "mgda"), (skipping, "mgda")],
)
def test_gradient_of_a_unit_is_combined_over_its_group(
    cut: CutBackbone, shape: Callable[[int], SharingPlan], name: str
) -> None:
    """Equal to Jacobians of single-task backward passes; other gradients are unchanged."""
    plan = shape(len(cut.units))
    data = Images(labels=NAMES)
    batch = next(iter(data.train_batches(0, 24)))
    network = build(cut, plan)
    rows: dict[str, dict[str, Tensor]] = {}
    for task in NAMES:
        copy = build(cut, plan).train()
        outputs = copy(batch.images)
        F.cross_entropy(outputs[task]["scores"], batch.targets[task].values).backward()
        rows[task] = gradients_of(copy)
    gradients = one_batch(network, name, data)
    names = {id(value): key for key, value in network.named_parameters()}
    shared: set[str] = set()
    for unit in range(len(cut.units)):
        for group in plan.groups(unit):
            parameters = network.unit_parameters(unit, group).values()
            keys = [names[id(parameter)] for parameter in parameters]
            keys = [key for key in keys if key in gradients]
            if len(group) == 1 or not keys:
                continue
            shared.update(keys)
            jacobian = torch.stack(
                [torch.cat([rows[task][key].flatten() for key in keys]) for task in group]
            )
            expected = maker(name)(group).combine(jacobian, group)
            flat = torch.cat([gradients[key].flatten() for key in keys])
            torch.testing.assert_close(flat, expected, rtol=1e-3, atol=1e-5)
    assert len(shared) > 10
    unshared = {
        key: value for task in NAMES for key, value in rows[task].items() if key not in shared
    }
    assert len(unshared) >= 2 * len(NAMES)  # at least the heads
    assert all(torch.equal(gradients[key], value) for key, value in unshared.items())


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_balancing_does_not_change_which_weights_have_gradients(
    cut: CutBackbone, name: str
) -> None:
    plan = SharingPlan.from_splits(("a", "b"), [3], len(cut.units))
    data = Images(labels=("a", "b"))
    expected = one_batch(build(cut, plan), None, data)
    gradients = one_batch(build(cut, plan), name, data)
    assert set(gradients) == set(expected)
    assert all(value.isfinite().all() for value in gradients.values())


class RecordingBalancer(Balancer):
    """Records its calls."""

    name = "recording"
    summary = "records its calls"
    per_task_gradients = True
    remeasures_losses = True
    calls: list[tuple[str, tuple[str, ...], tuple[str, ...]]]

    def record(self, method: str, tasks: Sequence[str]) -> None:
        self.calls.append((method, self.tasks, tuple(tasks)))

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> None:
        self.record("weigh", tasks)

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        self.record("combine", tasks)
        return super().combine(jacobian, tasks)

    def after_step(self, losses: Tensor, tasks: Sequence[str]) -> None:
        self.record("after", tasks)

    def epoch_ended(self) -> None:
        self.record("epoch", self.tasks)


def test_balancers_get_the_tasks_of_their_group(cut: CutBackbone) -> None:
    """Losses once per connected set, gradients once per unit and group, with present tasks."""
    partitions = [[["a", "b", "c"], ["d"]]] * 2 + [[["a"], ["b", "c"], ["d"]]] * (
        len(cut.units) - 2
    )
    network = build(cut, SharingPlan.from_groups(partitions))
    RecordingBalancer.calls = []
    data = Images(labels=network.tasks, labeled={"a": range(12)})

    class OrderedImages(Images):
        def train_batches(self, epoch, batch_size):
            yield from self._batches(list(range(self.images)), batch_size)

    balancer = BalancerConfig(
        lambda tasks: RecordingBalancer(Settings(), tasks), shared_groups(network)
    )
    ordered = OrderedImages(labels=network.tasks, labeled=data.labeled)
    fit(network, balancer, ordered, tasks(*network.tasks), batch_size=12)
    three, two = ("a", "b", "c"), ("b", "c")
    calls = RecordingBalancer.calls
    assert [call for call in calls if call[0] in ("weigh", "after")] == [
        (method, three, present) for present in (three, two) for method in ("weigh", "after")
    ]
    combined = [call[1:] for call in calls if call[0] == "combine"]
    assert {group for group, _ in combined} == {three, two}
    assert {present for group, present in combined if group == two} == {two}
    assert {present for group, present in combined if group == three} == {three, two}
    assert sum(call[0] == "epoch" for call in calls) == 1 + len(shared_groups(network))


def test_remeasured_losses_do_not_change_statistics() -> None:
    """Without dropout, the training equals one with a single measurement, bit for bit."""

    class RemeasuringBalancer(Balancer):
        name = "remeasuring"
        summary = "measures losses twice"
        remeasures_losses = True

    class PassiveBalancer(Balancer):
        name = "passive"
        summary = "changes nothing"

    states = []
    for kind in (PassiveBalancer, RemeasuringBalancer):
        network = Tree()
        network.trunk[4].p = 0.0
        balancer = BalancerConfig(lambda tasks, kind=kind: kind(Settings(), tasks), network.groups)
        fit(network, balancer, Points(labels=NAMES), guesses(*NAMES))
        states.append(network.state_dict())
    assert all(torch.equal(states[0][key], value) for key, value in states[1].items())


FLOAT16, BFLOAT16 = Precision(torch.float16), Precision(torch.bfloat16)


@pytest.mark.parametrize("name", BALANCERS)
def test_unsupported_combination_raises_with_a_fix(name: str) -> None:
    kind = BALANCERS[name]
    check_balancer_compatible(kind, precision=BFLOAT16)
    needs_full_batch = name != STATIC
    for options, is_refused, fix in (
        ({"precision": FLOAT16}, kind.per_task_gradients, "bf16 or fp32"),
        ({"precision": BFLOAT16, "is_compiled": True}, kind.per_task_gradients, "compile to false"),
        (
            {"precision": BFLOAT16, "accumulation_steps": 2},
            needs_full_batch,
            "accumulation_steps to 1",
        ),
        ({"precision": BFLOAT16, "num_processes": 2}, needs_full_batch, "one device"),
    ):
        if not is_refused:
            check_balancer_compatible(kind, **options)
            continue
        with pytest.raises(TrainingError, match=f"balancer '{name}'") as error:
            check_balancer_compatible(kind, **options)
        assert fix in str(error.value)


@pytest.mark.parametrize(
    ("changes", "process_group", "fix"),
    [
        ({"compile": True}, ProcessGroup(), "compile to false"),
        ({"accumulation_steps": 2}, ProcessGroup(), "accumulation_steps to 1"),
        ({}, ProcessGroup(0, 2), "one device"),
    ],
)
def test_unsupported_balancer_raises_before_the_first_step(
    changes: dict[str, Any], process_group: ProcessGroup, fix: str
) -> None:
    network = Tree()
    with pytest.raises(TrainingError) as error:
        fit(
            network,
            BalancerConfig(maker("mgda"), network.groups),
            Points(labels=NAMES),
            guesses(*NAMES),
            process_group=process_group,
            **changes,
        )
    assert error.value.where == "search.balancer"
    assert fix in str(error.value)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_static_balancer_with_accumulation_changes_nothing() -> None:
    expected = trained(None, accumulation_steps=3)
    weights = trained("static", accumulation_steps=3)
    assert all(torch.equal(weights[key], value) for key, value in expected.items())


class LimitedTree(Tree):
    """A network that runs out of memory above four images."""

    def forward(
        self, images: Tensor, tasks: Sequence[str] | None = None
    ) -> dict[str, dict[str, Tensor]]:
        if len(images) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(images, tasks)


@pytest.mark.parametrize("name", ["uw", "famo", "mgda"])
def test_out_of_memory_raises_if_the_batch_must_be_whole(name: str) -> None:
    """With micro batches, the balancer would get several updates per batch."""
    network = LimitedTree()
    with pytest.raises(TrainingError, match=f"a whole batch, which balancer '{name}' needs"):
        fit(
            network,
            BalancerConfig(maker(name), network.groups),
            Points(labels=NAMES),
            guesses(*NAMES),
        )


@pytest.mark.parametrize(("name", "is_shared"), [("static", True), ("uw", False)])
def test_out_of_memory_splits_batches_without_balancing(name: str, is_shared: bool) -> None:
    network = LimitedTree()
    balancer = BalancerConfig(maker(name), network.groups if is_shared else [])
    result = fit(network, balancer, Points(labels=NAMES), guesses(*NAMES))
    assert result.num_micro_batches == 2
