"""A training that pauses is the training that did not, bit for bit on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtlsearch.errors import RunError
from mtlsearch.plugin import Balancer, Settings
from mtlsearch.training import BalancerConfig, Checkpointing, SharedGroup, TrainingResult
from tests.training.fakes import Network, Points, Watcher, config, guesses, run

TASKS = ("a", "b")
DATA = Points(labelled={"b": range(9)})


def numbers(result: TrainingResult) -> list[object]:
    return [(at.epoch, at.train_losses, at.metrics) for at in result.epochs]


def same(one: nn.Module, other: nn.Module) -> bool:
    """Weights and running statistics, to the last bit."""
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[at], right[at]) for at in left)


def in_legs(path: Path, settings: Any, legs: list[int]) -> tuple[Network, TrainingResult]:
    """Each leg with a network of its own, as another process would have it."""
    for after in legs:
        torch.manual_seed(after)  # what torch's generator was before does not matter
        network = Network(*TASKS)
        result = run(network, guesses(*TASKS), DATA, settings, pause=Checkpointing(after, path))
        assert len(result.epochs) == after
        assert result.steps == after * 3
    return network, result


@pytest.mark.parametrize("legs", [[5], [1, 5], [2, 3, 5]], ids=str)
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
def test_it_goes_on_as_if_it_had_not_paused(
    tmp_path: Path, changes: dict[str, Any], legs: list[int]
) -> None:
    settings = config(epochs=5, **changes)
    straight = Network(*TASKS)
    whole = run(straight, guesses(*TASKS), DATA, settings)
    network, result = in_legs(tmp_path / "checkpoint.pt", settings, legs)
    assert numbers(result) == numbers(whole)
    assert result.metrics == whole.metrics
    assert same(network, straight)


def test_time_adds_up_and_steps_count_on(tmp_path: Path) -> None:
    path, settings = tmp_path / "checkpoint.pt", config(epochs=4)
    _, first = in_legs(path, settings, [2])
    watcher = Watcher()
    second = run(
        Network(*TASKS),
        guesses(*TASKS),
        DATA,
        settings,
        pause=Checkpointing(4, path),
        progress=watcher,
    )
    assert second.epochs[:2] == first.epochs
    assert second.seconds >= sum(record.seconds for record in second.epochs)
    assert [(done, total) for done, total, _ in watcher.steps] == [(at, 12) for at in range(7, 13)]


def test_without_its_file_it_begins_anew_to_the_same_end(tmp_path: Path) -> None:
    path, settings = tmp_path / "checkpoint.pt", config(epochs=3)
    in_legs(path, settings, [1])
    path.unlink()
    network, result = in_legs(path, settings, [3])
    straight = Network(*TASKS)
    assert numbers(result) == numbers(run(straight, guesses(*TASKS), DATA, settings))
    assert same(network, straight)


class Still(Balancer[Settings]):
    """Changes nothing, as static weights do."""

    name, summary = "still", "nothing"


class Memory(Still):
    """Weighs losses by how often it was asked, which no checkpoint knows."""

    asked = 0

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        self.asked += 1
        return torch.full_like(losses, 1.0 + 0.1 * self.asked)


@pytest.mark.parametrize(("kind", "kept"), [(Still, True), (Memory, False)])
def test_what_a_balancer_remembers_is_not_kept_but_trained_anew(
    tmp_path: Path, kind: type[Still], kept: bool
) -> None:
    path, settings = tmp_path / "checkpoint.pt", config(epochs=3)

    def train(network: Network, pause: Checkpointing | None = None) -> TrainingResult:
        shared = [SharedGroup(TASKS, tuple(network.trunk.parameters()))]
        balancer = BalancerConfig(lambda tasks: kind(Settings(), tasks), shared)
        return run(network, guesses(*TASKS), DATA, settings, pause=pause, balancer=balancer)

    straight, paused = Network(*TASKS), Network(*TASKS)
    whole = train(straight)
    train(Network(*TASKS), Checkpointing(1, path))
    assert path.is_file() == kept
    assert numbers(train(paused, Checkpointing(3, path))) == numbers(whole)
    assert same(paused, straight)


def test_the_end_is_no_pause(tmp_path: Path) -> None:
    in_legs(tmp_path / "checkpoint.pt", config(epochs=3), [3])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_broken_file_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(RunError, match="cannot go on") as error:
        in_legs(path, config(epochs=3), [3])
    assert "delete the file" in str(error.value)


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    in_legs(path, config(epochs=3), [1])
    with pytest.raises(RunError, match="cannot go on"):
        run(
            Network("a"),
            guesses("a"),
            Points(labels=("a",)),
            config(epochs=3),
            pause=Checkpointing(3, path),
        )
