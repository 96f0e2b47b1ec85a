"""GPU code paths, simulated on a CPU where possible; further tests need a GPU."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mtlsearch.errors import NonFiniteLossError
from mtlsearch.plugin import to_device
from mtlsearch.training import Precision
from mtlsearch.training._loss_tracker import MAX_UNREAD_STEPS, LossTracker
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._reproducibility import reproducible
from mtlsearch.training._step import StepOutcome, TrainingStep
from tests.training.fakes import Network, Points, RecordingHooks, config, guesses, run

CUDA = torch.device("cuda")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def outcome(loss: float, norm: float = 1.0) -> StepOutcome:
    return StepOutcome({"a": 4, "b": 2}, torch.tensor([loss, 1.0, loss + 1.0, norm]))


def test_losses_are_read_several_steps_at_a_time() -> None:
    tracker = LossTracker(0, CUDA)
    steps = range(1, 2 * MAX_UNREAD_STEPS + 1)
    was_read = [tracker.add(step, outcome(float(step))) for step in steps]
    assert sum(was_read) == 2
    assert tracker.latest == 2 * MAX_UNREAD_STEPS + 1
    tracker.read()
    mean = sum(steps) / (2 * MAX_UNREAD_STEPS)
    assert tracker.means(["a", "b"]) == {"a": pytest.approx(mean), "b": 1.0}


def test_late_read_names_the_step_of_the_error() -> None:
    tracker = LossTracker(2, CUDA)
    tracker.add(31, outcome(1.0))
    tracker.add(32, outcome(math.nan))
    tracker.add(33, outcome(math.nan))
    with pytest.raises(NonFiniteLossError, match=r"task 'a' became nan in step 32 \(epoch 3\)"):
        tracker.read()


def test_batches_with_fewer_tasks_are_averaged_by_task() -> None:
    tracker = LossTracker(0, CUDA)
    tracker.add(1, outcome(3.0))
    tracker.add(2, StepOutcome({"b": 6}, torch.tensor([5.0, 5.0, 1.0])))
    tracker.read()
    assert tracker.means(["a", "b"]) == {"a": 3.0, "b": (2 * 1.0 + 6 * 5.0) / 8}


def float16_step(network: Network, optimizer: str = "sgd") -> TrainingStep:
    return TrainingStep(
        network,
        guesses("a"),
        label_by_task={"a": "a"},
        loss_weights={"a": 1.0},
        optimizer=build_optimizer(network, optimizer, learning_rate=0.01, weight_decay=0),  # type: ignore[arg-type]
        precision=Precision(torch.float16),
        clip_norm=1.0,
    )


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_float16_overflow_skips_steps_and_then_learns(optimizer: str) -> None:
    """The initial scale is 65536: scaled by it, these gradients overflow float16."""

    class SteepNetwork(Network):
        def forward(self, images, tasks=None):
            outputs = super().forward(images, tasks)
            return {name: {"scores": value["scores"] * 60} for name, value in outputs.items()}

    network = SteepNetwork("a")
    step, batch = float16_step(network, optimizer), Points(labels=("a",)).batch(list(range(8)))
    before = network.heads["a"].weight.detach().clone()
    outcomes = [step(batch)]
    assert torch.equal(network.heads["a"].weight, before)
    outcomes += [step(batch) for _ in range(60)]
    tracker = LossTracker(0, torch.device("cpu"))
    for index, result in enumerate(outcomes):
        assert result is not None
        tracker.add(index, result)
    assert tracker.latest < tracker.means(["a"])["a"] / 2


def test_float16_gradient_that_stays_infinite_raises() -> None:
    class InfiniteGradient(Network):
        def forward(self, images, tasks=None):
            outputs = super().forward(images, tasks)
            zero = (self.heads["a"].bias * 0).sum().sqrt()
            return {name: {"scores": value["scores"] + zero} for name, value in outputs.items()}

    network = InfiniteGradient("a")
    step, batch = float16_step(network), Points(labels=("a",)).batch(list(range(8)))
    tracker = LossTracker(0, CUDA)
    for index in range(MAX_UNREAD_STEPS - 1):
        result = step(batch)
        assert result is not None
        tracker.add(index, result)
    tracker.read()  # a smaller scale may still help
    for _ in range(5):
        result = step(batch)
    assert result is not None
    with pytest.raises(NonFiniteLossError, match="gradient of 'a' became"):
        LossTracker(0, torch.device("cpu")).add(21, result)


def test_deterministic_kernels_are_enabled_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlsearch.training._reproducibility._index", lambda device: 0)
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: torch.no_grad())
    monkeypatch.setattr(torch.cuda, "device", lambda index: torch.no_grad())
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed", seeds.append)
    torch.backends.cudnn.benchmark = True
    try:
        with reproducible(5, CUDA):
            assert torch.are_deterministic_algorithms_enabled()
            assert not torch.utils.deterministic.fill_uninitialized_memory
            assert not torch.backends.cudnn.benchmark
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.utils.deterministic.fill_uninitialized_memory
        assert torch.backends.cudnn.benchmark
        assert seeds == [5]
        with reproducible(5, CUDA, deterministic_kernels=False):
            assert not torch.are_deterministic_algorithms_enabled()
            assert torch.backends.cudnn.benchmark
    finally:
        torch.backends.cudnn.benchmark = False


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
def test_to_device_copies_before_the_source_is_freed(device: str) -> None:
    """The GPU is busy, and the source of each copy is freed immediately."""
    target = torch.device(device)
    load = torch.ones(1000, 1000, device=target)
    copies = []
    for value in range(20):
        load = load @ load / 1000
        copies.append(to_device(torch.full((1000,), value), target))
    assert all(
        copy.device.type == device and bool((copy == value).all())
        for value, copy in enumerate(copies)
    )


@needs_cuda
@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16", "fp16"])
def test_cuda_gives_identical_numbers_twice(precision: str) -> None:
    def train() -> tuple[list[object], nn.Module, RecordingHooks]:
        network, hooks = Network("a", "b"), RecordingHooks()
        result = run(
            network,
            guesses("a", "b"),
            Points(labeled={"b": range(9)}),
            config(precision=precision, epochs=15),
            loss_weights={"a": 1.0, "b": 0.5},
            device=CUDA,
            seed=1,
            hooks=hooks,
        )
        assert result.metrics["a"]["accuracy"] > 0.9
        numbers = [(record.train_losses, record.metrics) for record in result.epochs]
        return numbers, network, hooks

    (first, first_network, hooks), (second, second_network, _) = train(), train()
    assert first == second
    first_state = first_network.state_dict()
    assert all(
        torch.equal(first_state[name], value) for name, value in second_network.state_dict().items()
    )
    assert len(hooks.steps) < 45


@needs_cuda
def test_split_after_cuda_out_of_memory_equals_a_planned_split() -> None:
    """The limit leaves 600 MiB, and eight images need 1.5 GiB."""

    class WideNetwork(Network):
        def forward(self, images, tasks=None):
            spread = images.mean((1, 2, 3)).view(-1, 1) + torch.zeros(2**24, device=CUDA)
            kept = spread * 1.5 + 1  # [B, 16Mi] float32: 64 MiB per image, three times
            return super().forward(images + 0 * kept.mean(1).view(-1, 1, 1, 1), tasks)

    def train(accumulation_steps: int) -> tuple[list[object], str, int]:
        result = run(
            WideNetwork("a"),
            guesses("a"),
            Points(labels=("a",)),
            config(epochs=2, batch_size=8, accumulation_steps=accumulation_steps),
            device=CUDA,
            seed=1,
        )
        losses = [record.train_losses for record in result.epochs]
        return losses, result.note, result.num_micro_batches

    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(CUDA).total_memory
    torch.cuda.set_per_process_memory_fraction(
        (torch.cuda.memory_reserved() + 600 * 2**20) / total, torch.cuda.current_device()
    )
    try:
        losses, note, count = train(1)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, torch.cuda.current_device())
    assert count > 1
    assert f"split into {count} micro batches" in note
    assert losses == train(count)[0]
