"""Several processes train as one does with their batches put together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mtlsearch.training import ProcessGroup, TrainingResult, joined_process_group
from tests.training.fakes import Network, Points, guesses
from tests.training.parallel import TASKS, trained

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes made of every training in :mod:`tests.training.parallel`."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "tests.training.parallel", str(folder)]
    children = [
        subprocess.Popen([*command, str(rank)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    try:
        for child in children:
            assert child.wait(timeout=240) == 0, child.stderr.read() if child.stderr else ""
    finally:
        for child in children:
            child.kill()
            child.communicate()
    return folder


def found(folder: Path, what: str, rank: int) -> tuple[dict[str, torch.Tensor], TrainingResult]:
    state, result = torch.load(folder / f"{what}{rank}.pt", weights_only=False)
    return state, result


@pytest.mark.parametrize("what", ["few labels", "little memory", "short batch", "distillation"])
@pytest.mark.parametrize("rank", [0, 1])
def test_two_processes_train_as_one(two: Path, what: str, rank: int) -> None:
    """Batches whose labels of a task all lie with one process, or with none, do not hang."""
    network, expected = trained(what, ProcessGroup())
    state, result = found(two, what, rank)
    for name, at in network.state_dict().items():
        torch.testing.assert_close(state[name], at, rtol=1e-5, atol=1e-6)
    for one, other in zip(expected.epochs, result.epochs, strict=True):
        assert other.train_losses == pytest.approx(one.train_losses, rel=1e-5)
        assert other.metrics == one.metrics
    assert result.steps == expected.steps


def test_processes_give_way_to_the_one_whose_memory_is_short(two: Path) -> None:
    assert [found(two, "little memory", rank)[1].parts for rank in (0, 1)] == [2, 2]
    assert [found(two, "few labels", rank)[1].parts for rank in (0, 1)] == [1, 1]


def test_statistics_are_the_same_in_every_process_at_the_end(two: Path) -> None:
    (one, _), (other, _) = (found(two, "statistics", rank) for rank in (0, 1))
    assert any("running_mean" in name for name in one)
    assert all(torch.equal(at, other[name]) for name, at in one.items())


def test_alone_nothing_is_sent() -> None:
    assert joined_process_group() == ProcessGroup()
    network, batch = Network("a"), Points().batch([0, 1, 2])
    whole = ProcessGroup().part(batch)
    assert whole is batch
    ProcessGroup().sum_gradients(list(network.parameters()))
    assert all(at.grad is None for at in network.parameters())
    assert ProcessGroup().any(True, torch.device("cpu"))
    assert set(guesses(*TASKS)) == set(TASKS)


def test_a_batch_smaller_than_the_processes_leaves_some_without() -> None:
    batch = Points().batch([0, 1])
    parts = [ProcessGroup(rank, 3).part(batch) for rank in range(3)]
    assert [0 if part is None else len(part.images) for part in parts] == [1, 1, 0]
