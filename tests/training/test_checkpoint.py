"""A resumed training equals one without a pause, bit for bit on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from mtlsearch.errors import RunError
from mtlsearch.plugin import Balancer, Settings
from mtlsearch.training import (
    BalancerConfig,
    Checkpointing,
    SharedGroup,
    TrainingResult,
    _checkpoint,
)
from mtlsearch.training._checkpoint import EpochCheckpoints
from tests.training.fakes import Network, Points, RecordingHooks, config, guesses, run

TASKS = ("a", "b")
DATA = Points(labeled={"b": range(9)})


def numbers(result: TrainingResult) -> list[object]:
    return [(record.epoch, record.train_losses, record.metrics) for record in result.epochs]


def is_equal(first: nn.Module, second: nn.Module) -> bool:
    """Return whether weights and running statistics are equal, bit for bit."""
    left, right = first.state_dict(), second.state_dict()
    return left.keys() == right.keys() and all(
        torch.equal(value, right[name]) for name, value in left.items()
    )


def train_in_parts(path: Path, settings: Any, epochs: list[int]) -> tuple[Network, TrainingResult]:
    """Train up to each of some epochs, with a new network as in a new process."""
    for stop_after in epochs:
        torch.manual_seed(stop_after)  # the previous state of torch's generator has no effect
        network = Network(*TASKS)
        result = run(
            network,
            guesses(*TASKS),
            DATA,
            settings,
            checkpointing=Checkpointing(stop_after, path),
        )
        assert len(result.epochs) == stop_after
        assert result.steps == stop_after * 3
    return network, result


@pytest.mark.parametrize("epochs", [[5], [1, 5], [2, 3, 5]], ids=str)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd", "warmup": 0.5},
        {"precision": "bf16"},
        {"accumulation_steps": 2},
        {"channels_last": True},
    ],
    ids=str,
)
def test_resumed_training_equals_one_without_a_pause(
    tmp_path: Path, changes: dict[str, Any], epochs: list[int]
) -> None:
    settings = config(epochs=5, **changes)
    uninterrupted = Network(*TASKS)
    expected = run(uninterrupted, guesses(*TASKS), DATA, settings)
    network, result = train_in_parts(tmp_path / "checkpoint.pt", settings, epochs)
    assert numbers(result) == numbers(expected)
    assert result.metrics == expected.metrics
    assert is_equal(network, uninterrupted)


def test_resumed_training_adds_up_seconds_and_steps(tmp_path: Path) -> None:
    path, settings = tmp_path / "checkpoint.pt", config(epochs=4)
    _, first = train_in_parts(path, settings, [2])
    hooks = RecordingHooks()
    second = run(
        Network(*TASKS),
        guesses(*TASKS),
        DATA,
        settings,
        checkpointing=Checkpointing(4, path),
        hooks=hooks,
    )
    assert second.epochs[:2] == first.epochs
    assert second.seconds >= sum(record.seconds for record in second.epochs)
    assert [(done, total) for done, total, _ in hooks.steps] == [(i, 12) for i in range(7, 13)]


def test_missing_checkpoint_restarts_to_the_same_result(tmp_path: Path) -> None:
    path, settings = tmp_path / "checkpoint.pt", config(epochs=3)
    train_in_parts(path, settings, [1])
    path.unlink()
    network, result = train_in_parts(path, settings, [3])
    uninterrupted = Network(*TASKS)
    assert numbers(result) == numbers(run(uninterrupted, guesses(*TASKS), DATA, settings))
    assert is_equal(network, uninterrupted)


class StatelessBalancer(Balancer[Settings]):
    """Changes nothing, as static weights do."""

    name, summary = "stateless", "changes nothing"


class StatefulBalancer(StatelessBalancer):
    """Weighs losses by the number of its calls, which a checkpoint does not contain."""

    num_calls = 0

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        self.num_calls += 1
        return torch.full_like(losses, 1.0 + 0.1 * self.num_calls)


@pytest.mark.parametrize(
    ("kind", "is_saved"), [(StatelessBalancer, True), (StatefulBalancer, False)]
)
def test_stateful_balancer_restarts_instead_of_resuming(
    tmp_path: Path, kind: type[StatelessBalancer], is_saved: bool
) -> None:
    path, settings = tmp_path / "checkpoint.pt", config(epochs=3)

    def train(network: Network, checkpointing: Checkpointing | None = None) -> TrainingResult:
        groups = [SharedGroup(TASKS, tuple(network.trunk.parameters()))]
        balancer = BalancerConfig(lambda tasks: kind(Settings(), tasks), groups)
        return run(
            network,
            guesses(*TASKS),
            DATA,
            settings,
            checkpointing=checkpointing,
            balancer=balancer,
        )

    uninterrupted, paused = Network(*TASKS), Network(*TASKS)
    expected = train(uninterrupted)
    train(Network(*TASKS), Checkpointing(1, path))
    assert path.is_file() == is_saved
    assert numbers(train(paused, Checkpointing(3, path))) == numbers(expected)
    assert is_equal(paused, uninterrupted)


class KilledError(Exception):
    """The process of a training ends."""


@dataclass
class KillingHooks(RecordingHooks):
    """Hooks that end the training in a step."""

    at_step: int = 0

    def on_step(self, num_steps: int, total: int, loss: float) -> None:
        if num_steps == self.at_step:
            raise KilledError


@pytest.mark.parametrize("changes", [{}, {"ema": 0.5}, {"precision": "bf16"}], ids=str)
@pytest.mark.parametrize("at_step", [2, 5, 8, 15])
def test_killed_training_continues_from_its_last_epoch(
    tmp_path: Path, changes: dict[str, Any], at_step: int
) -> None:
    path, settings = tmp_path / "checkpoint.pt", config(epochs=5, **changes)
    uninterrupted = Network(*TASKS)
    expected = run(uninterrupted, guesses(*TASKS), DATA, settings)
    often = Checkpointing(5, path, interval=0.0)
    killing = KillingHooks(at_step=at_step)
    with patch.object(_checkpoint, "MIN_RATIO", 0), pytest.raises(KilledError):
        run(Network(*TASKS), guesses(*TASKS), DATA, settings, checkpointing=often, hooks=killing)
    assert path.is_file() == (at_step > 3)
    torch.manual_seed(9)  # another process
    network, hooks = Network(*TASKS), RecordingHooks()
    result = run(network, guesses(*TASKS), DATA, settings, checkpointing=often, hooks=hooks)
    assert len(hooks.epochs) == 5 - (at_step - 1) // 3
    assert numbers(result) == numbers(expected)
    assert is_equal(network, uninterrupted)


def test_checkpoints_of_epochs_take_a_small_part_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds, saved = 0.0, []
    monkeypatch.setattr(_checkpoint, "time", SimpleNamespace(monotonic=lambda: seconds))
    checkpoints = EpochCheckpoints(20.0)

    def save() -> None:
        nonlocal seconds
        saved.append(seconds)
        seconds += 2.0

    for _ in range(100):
        seconds += 5.0
        checkpoints.save_if_due(save)
    assert saved == [20.0, 122.0, 224.0, 326.0, 428.0]


def test_complete_training_writes_no_checkpoint(tmp_path: Path) -> None:
    train_in_parts(tmp_path / "checkpoint.pt", config(epochs=3), [3])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_broken_checkpoint_raises_with_a_fix(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(RunError, match="cannot resume") as error:
        train_in_parts(path, config(epochs=3), [3])
    assert "delete the file" in str(error.value)


def test_checkpoint_of_another_network_raises(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    train_in_parts(path, config(epochs=3), [1])
    with pytest.raises(RunError, match="cannot resume"):
        run(
            Network("a"),
            guesses("a"),
            Points(labels=("a",)),
            config(epochs=3),
            checkpointing=Checkpointing(3, path),
        )
