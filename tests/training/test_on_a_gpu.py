"""What is done for GPUs, as far as a CPU can tell; and on a GPU where there is one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mtlsearch.errors import NonFiniteLossError
from mtlsearch.labels import send
from mtlsearch.training import Precision, train
from mtlsearch.training._loss_tracker import STEPS_UNREAD, LossTracker
from mtlsearch.training._optimizer import build_optimizer
from mtlsearch.training._reproducibility import repeatable
from mtlsearch.training._step import StepOutcome, TrainingStep
from tests.training.fakes import Network, Points, Watcher, config, guesses

CUDA = torch.device("cuda")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def outcome(loss: float, norm: float = 1.0) -> StepOutcome:
    return StepOutcome({"a": 4, "b": 2}, torch.tensor([loss, 1.0, loss + 1.0, norm]))


def test_losses_are_read_some_steps_at_a_time() -> None:
    log = LossTracker(0, CUDA)
    news = [log.add(step, outcome(float(step))) for step in range(1, 2 * STEPS_UNREAD + 1)]
    assert sum(news) == 2
    assert log.latest == 2 * STEPS_UNREAD + 1
    log.read()
    mean = sum(range(1, 2 * STEPS_UNREAD + 1)) / (2 * STEPS_UNREAD)
    assert log.means(["a", "b"]) == {"a": pytest.approx(mean), "b": 1.0}


def test_the_step_that_went_wrong_is_named_though_read_later() -> None:
    log = LossTracker(2, CUDA)
    log.add(31, outcome(1.0))
    log.add(32, outcome(math.nan))
    log.add(33, outcome(math.nan))
    with pytest.raises(NonFiniteLossError, match=r"task 'a' became nan in step 32 \(epoch 2\)"):
        log.read()


def test_batches_with_fewer_tasks_are_read_rightly() -> None:
    log = LossTracker(0, CUDA)
    log.add(1, outcome(3.0))
    log.add(2, StepOutcome({"b": 6}, torch.tensor([5.0, 5.0, 1.0])))
    log.read()
    assert log.means(["a", "b"]) == {"a": 3.0, "b": (2 * 1.0 + 6 * 5.0) / 8}


def half_step(network: Network, optimizer: str = "sgd") -> TrainingStep:
    return TrainingStep(
        network,
        guesses("a"),
        labels_of={"a": "a"},
        loss_weights={"a": 1.0},
        optimizer=build_optimizer(network, optimizer, learning_rate=0.01, weight_decay=0),  # type: ignore[arg-type]
        precision=Precision(torch.float16),
        clip_norm=1.0,
    )


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_float16_overflow_skips_steps_and_then_learns(optimizer: str) -> None:
    """The scaler starts at 65536: scaled by it, these gradients overflow float16."""

    class Steep(Network):
        def forward(self, images, tasks=None):
            steep = super().forward(images, tasks)
            return {name: {"scores": at["scores"] * 60} for name, at in steep.items()}

    network = Steep("a")
    step, batch = half_step(network, optimizer), Points(labels=("a",)).batch(list(range(8)))
    before = network.heads["a"].weight.detach().clone()
    outcomes = [step(batch)]
    assert torch.equal(network.heads["a"].weight, before)
    outcomes += [step(batch) for _ in range(60)]
    log = LossTracker(0, torch.device("cpu"))
    for number, found in enumerate(outcomes):
        assert found is not None
        log.add(number, found)
    assert log.latest < log.means(["a"])["a"] / 2


def test_a_gradient_that_no_scale_mends_ends_a_float16_trial() -> None:
    class Cliff(Network):
        def forward(self, images, tasks=None):
            outputs = super().forward(images, tasks)
            flat = (self.heads["a"].bias * 0).sum().sqrt()
            return {name: {"scores": at["scores"] + flat} for name, at in outputs.items()}

    step, batch = half_step(Cliff("a")), Points(labels=("a",)).batch(list(range(8)))
    log = LossTracker(0, CUDA)
    for number in range(STEPS_UNREAD - 1):
        found = step(batch)
        assert found is not None
        log.add(number, found)
    log.read()  # halving may still help
    for _ in range(5):
        found = step(batch)
    assert found is not None
    with pytest.raises(NonFiniteLossError, match="gradient of 'a' became"):
        LossTracker(0, torch.device("cpu")).add(21, found)


def test_deterministic_kernels_are_asked_for_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtlsearch.training._reproducibility._index", lambda device: 0)
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: torch.no_grad())
    monkeypatch.setattr(torch.cuda, "device", lambda index: torch.no_grad())
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed", seeds.append)
    torch.backends.cudnn.benchmark = True
    try:
        with repeatable(5, CUDA):
            assert torch.are_deterministic_algorithms_enabled()
            assert not torch.utils.deterministic.fill_uninitialized_memory
            assert not torch.backends.cudnn.benchmark
        assert not torch.are_deterministic_algorithms_enabled()
        assert torch.utils.deterministic.fill_uninitialized_memory
        assert torch.backends.cudnn.benchmark
        assert seeds == [5]
        with repeatable(5, CUDA, kernels=False):
            assert not torch.are_deterministic_algorithms_enabled()
            assert torch.backends.cudnn.benchmark
    finally:
        torch.backends.cudnn.benchmark = False


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
def test_what_is_sent_arrives_whole(device: str) -> None:
    """Though the GPU is busy and what was sent is gone at once."""
    there = torch.device(device)
    busy = torch.ones(1000, 1000, device=there)
    sent = []
    for number in range(20):
        busy = busy @ busy / 1000
        sent.append(send(torch.full((1000,), number), there))
    assert all(at.device.type == device and bool((at == n).all()) for n, at in enumerate(sent))


@needs_cuda
@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16", "fp16"])
def test_cuda_gives_the_same_numbers_twice(precision: str) -> None:
    def once() -> tuple[list[object], nn.Module, Watcher]:
        network, watcher = Network("a", "b"), Watcher()
        result = train(
            network,
            guesses("a", "b"),
            Points(labelled={"b": range(9)}),
            config(precision=precision, epochs=15),
            labels_of={"a": "a", "b": "b"},
            loss_weights={"a": 1.0, "b": 0.5},
            learning_rate=0.01,
            device=CUDA,
            seed=1,
            progress=watcher,
        )
        assert result.metrics["a"]["accuracy"] > 0.9
        return [(at.train_losses, at.metrics) for at in result.epochs], network, watcher

    (first, one, watcher), (second, two, _) = once(), once()
    assert first == second
    assert all(torch.equal(one.state_dict()[name], at) for name, at in two.state_dict().items())
    assert len(watcher.steps) < 45


@needs_cuda
def test_a_batch_that_memory_does_not_hold_comes_in_parts_as_if_from_the_start() -> None:
    """The device is told to give out 600 MiB more; eight images take 1.5 GiB."""

    class Wide(Network):
        def forward(self, images, tasks=None):
            spread = images.mean((1, 2, 3)).view(-1, 1) + torch.zeros(2**24, device=CUDA)
            held = spread * 1.5 + 1  # [B, 16Mi] float32: 64 MiB an image, thrice
            return super().forward(images + 0 * held.mean(1).view(-1, 1, 1, 1), tasks)

    def trained(accumulation_steps: int) -> tuple[list[object], str, int]:
        result = train(
            Wide("a"),
            guesses("a"),
            Points(labels=("a",)),
            config(epochs=2, batch_size=8, accumulation_steps=accumulation_steps),
            labels_of={"a": "a"},
            loss_weights={"a": 1.0},
            learning_rate=0.01,
            device=CUDA,
            seed=1,
        )
        return [at.train_losses for at in result.epochs], result.note, result.parts

    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(CUDA).total_memory
    torch.cuda.set_per_process_memory_fraction(
        (torch.cuda.memory_reserved() + 600 * 2**20) / whole, torch.cuda.current_device()
    )
    try:
        losses, note, parts = trained(1)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, torch.cuda.current_device())
    assert parts > 1
    assert f"trained in {parts} parts" in note
    assert losses == trained(parts)[0]
