"""Averaged weights, frozen units, and a learning rate of the backbone of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtlsearch.errors import PlanError, TrainingError
from mtlsearch.models import CutBackbone, MultiTaskNetwork, cut_backbone
from mtlsearch.plan import SharingPlan
from mtlsearch.training import Checkpointing, shared_groups
from mtlsearch.training._optimizer import Schedule, build_optimizer
from tests.training.fakes import Network, Points, RecordingHooks, config, guesses, run
from tests.training.images import TASKS, Images, build, tasks
from tests.training.test_checkpoint import is_equal, numbers

DATA = Points(labeled={"b": range(9)})


@pytest.fixture(scope="module")
def cut() -> CutBackbone:
    return cut_backbone("test_resnet", (32, 32))


def plans(cut: CutBackbone) -> list[SharingPlan]:
    units = len(cut.units)
    rejoined = SharingPlan(TASKS, ((0, 0), (0, 1), *((0, 0) for _ in range(units - 2))), "path")
    return [
        SharingPlan.hard(TASKS, units),
        SharingPlan.independent(TASKS, units),
        SharingPlan.from_splits(TASKS, [1], units),
        rejoined,
    ]


def train_fake(path: Path | None, epochs: list[int], **changes: Any) -> tuple[Network, Any]:
    """Train up to each of some epochs, with a new network as in a new process."""
    settings = config(epochs=epochs[-1], **changes)
    for stop_after in epochs:
        network = Network("a", "b")
        checkpointing = None if path is None else Checkpointing(stop_after, path)
        result = run(network, guesses("a", "b"), DATA, settings, checkpointing=checkpointing)
    return network, result


def test_average_with_decay_0_equals_the_plain_network() -> None:
    plain, expected = train_fake(None, [3])
    averaged, result = train_fake(None, [3], ema=0.0)
    assert numbers(result) == numbers(expected)
    assert is_equal(averaged, plain)


def test_average_changes_what_is_kept_not_what_is_trained() -> None:
    plain, expected = train_fake(None, [3])
    averaged, result = train_fake(None, [3], ema=0.9)
    assert not is_equal(averaged, plain)
    losses = [record.train_losses for record in result.epochs]
    assert losses == [record.train_losses for record in expected.epochs]


def test_average_is_the_recursion_over_steps() -> None:
    """Weights and running statistics, with the decay min(0.8, 1 - n^(-2/3)) at step n."""
    network = Network("a", "b")
    seen: list[dict[str, Tensor]] = []

    class Snapshots(RecordingHooks):
        def on_step(self, num_steps: int, total: int, loss: float) -> None:
            seen.append({name: value.clone() for name, value in network.state_dict().items()})

    result = run(network, guesses("a", "b"), DATA, config(epochs=2, ema=0.8), hooks=Snapshots())
    assert len(seen) == result.steps == 6
    average = {name: value.double() for name, value in seen[0].items()}
    for step, state in enumerate(seen[1:], start=2):
        decay = min(0.8, 1 - step ** (-2 / 3))
        for name, value in state.items():
            average[name] = decay * average[name] + (1 - decay) * value.double()
    kept = network.state_dict()
    assert kept["trunk.2.num_batches_tracked"] == 6
    for name, value in average.items():
        if kept[name].is_floating_point():
            torch.testing.assert_close(kept[name].double(), value, rtol=1e-5, atol=1e-6)


def test_kept_weights_give_the_metrics_of_the_last_epoch() -> None:
    network, result = train_fake(None, [3], ema=0.9)
    network.eval()
    batch = DATA.batch(list(range(24)))
    with torch.inference_mode():
        scores = network(batch.images)["a"]["scores"]
    accuracy = (scores.argmax(1) == torch.arange(24) % 3).float().mean()
    assert result.metrics["a"]["accuracy"] == pytest.approx(float(accuracy))


@pytest.mark.parametrize("epochs", [[1, 4], [2, 3, 4]], ids=str)
@pytest.mark.parametrize("changes", [{"ema": 0.9}, {"ema": 0.0, "optimizer": "sgd"}], ids=str)
def test_resumed_average_equals_one_without_a_pause(
    tmp_path: Path, changes: dict[str, Any], epochs: list[int]
) -> None:
    network, result = train_fake(tmp_path / "checkpoint.pt", epochs, **changes)
    uninterrupted, expected = train_fake(None, [4], **changes)
    assert numbers(result) == numbers(expected)
    assert is_equal(network, uninterrupted)


@pytest.mark.parametrize("index", range(4), ids=["hard", "independent", "tree", "rejoined"])
def test_average_of_a_shared_network_keeps_sharing(cut: CutBackbone, index: int) -> None:
    plan = plans(cut)[index]
    network, plain = build(cut, plan), build(cut, plan)
    data = Images(labels=TASKS)
    result = run(network, tasks(*TASKS), data, config(ema=0.0))
    expected = run(plain, tasks(*TASKS), data, config())
    assert result.metrics == expected.metrics
    assert is_equal(network, plain)
    for unit, group in plan.shared_groups():
        copies = [network.backbones.unit_parameters(unit, task) for task in group]
        assert all(copies[0][name] is copies[1][name] for name in copies[0])


@pytest.mark.parametrize("index", range(4), ids=["hard", "independent", "tree", "rejoined"])
@pytest.mark.parametrize("changes", [{}, {"ema": 0.9}, {"accumulation_steps": 2}], ids=str)
def test_frozen_units_do_not_change_bit_for_bit(
    cut: CutBackbone, index: int, changes: dict[str, Any]
) -> None:
    network = build(cut, plans(cut)[index])
    network.freeze(2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    run(network, tasks(*TASKS), Images(labels=TASKS), config(freeze=2, **changes))
    frozen = frozen_names(network, 2)
    assert any(name.endswith("running_mean") for name in frozen)
    after = network.state_dict()
    for name, value in before.items():
        if name in frozen:
            assert torch.equal(after[name], value), name
        elif value.is_floating_point() and value.ndim > 1:
            assert not torch.equal(after[name], value), name


def frozen_names(network: MultiTaskNetwork, num_units: int) -> set[str]:
    """Return the names of all tensors of the first units."""
    ids = {
        id(tensor)
        for unit in range(num_units)
        for task in network.tasks
        for module in network.backbones.unit_modules(unit, task).values()
        for tensor in (*module.parameters(), *module.buffers())
    }
    tensors = network.state_dict(keep_vars=True)
    return {name for name, tensor in tensors.items() if id(tensor) in ids}


def test_frozen_units_are_not_optimized_and_not_balanced(cut: CutBackbone) -> None:
    network = build(cut, SharingPlan.hard(TASKS, len(cut.units)))
    assert len(shared_groups(network)) == len(cut.units)
    network.freeze(2)
    assert len(shared_groups(network)) == len(cut.units) - 2
    frozen = {id(parameter) for unit in (0, 1) for parameter in parameters(network, unit)}
    optimizer = build_optimizer(network, "adamw", learning_rate=0.1, weight_decay=0.1)
    trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert frozen
    assert not frozen & trained
    assert trained | frozen == {id(parameter) for parameter in network.parameters()}


def parameters(network: MultiTaskNetwork, unit: int) -> list[nn.Parameter]:
    return list(network.unit_parameters(unit, network.tasks).values())


def test_all_units_can_be_frozen_and_no_more(cut: CutBackbone) -> None:
    network = build(cut, SharingPlan.hard(TASKS, len(cut.units)))
    with pytest.raises(PlanError, match=f"the backbone has {len(cut.units)}"):
        network.freeze(len(cut.units) + 1)
    network.freeze(len(cut.units))
    assert not any(parameter.requires_grad for parameter in network.backbones.parameters())
    settings = config(freeze=len(cut.units))
    assert run(network, tasks(*TASKS), Images(labels=TASKS), settings).metrics


def test_network_that_is_not_frozen_as_set_is_refused(cut: CutBackbone) -> None:
    network = build(cut, SharingPlan.hard(TASKS, len(cut.units)))
    with pytest.raises(TrainingError, match="0 frozen units") as error:
        run(network, tasks(*TASKS), Images(labels=TASKS), config(freeze=1))
    assert "network.freeze(1)" in str(error.value)


def test_backbone_rate_is_scaled_and_the_head_rate_is_not(cut: CutBackbone) -> None:
    network = build(cut, SharingPlan.from_splits(TASKS, [2], len(cut.units)))
    optimizer = build_optimizer(
        network,
        "adamw",
        learning_rate=0.1,
        weight_decay=0.1,
        backbone=network.backbones,
        backbone_lr_factor=0.25,
    )
    Schedule(optimizer, peak=0.2, steps=10, warmup=0).before(0)
    in_backbone = {id(parameter) for parameter in network.backbones.parameters()}
    rates = {
        (id(parameter) in in_backbone, group["lr"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert rates == {(True, 0.2 * 0.25), (False, 0.2)}
    count = sum(len(group["params"]) for group in optimizer.param_groups)
    assert count == len(list(network.parameters()))


def test_backbone_factor_needs_units() -> None:
    with pytest.raises(TrainingError, match="backbone_lr_factor"):
        run(Network("a"), guesses("a"), Points(labels=("a",)), config(backbone_lr_factor=0.5))


def test_backbone_factor_slows_the_backbone_only(cut: CutBackbone) -> None:
    """After one step of SGD, the change of the backbone is the factor of the plain change."""
    changes = []
    for factor in (1.0, 0.25):
        network = build(cut, SharingPlan.hard(TASKS, len(cut.units)))
        before = {name: value.detach().clone() for name, value in network.named_parameters()}
        settings = config(
            epochs=1,
            batch_size=64,
            optimizer="sgd",
            weight_decay=0.0,
            backbone_lr_factor=factor,
        )
        run(network, tasks(*TASKS), Images(labels=TASKS), settings)
        changes.append({name: value - before[name] for name, value in network.named_parameters()})
    plain, scaled = changes
    for name, change in plain.items():
        factor = 0.25 if name.startswith("backbones.") else 1.0
        torch.testing.assert_close(scaled[name], factor * change.detach(), rtol=1e-3, atol=1e-6)
