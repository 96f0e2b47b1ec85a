"""Two processes train as one does with their batches combined."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mtlsearch.training import ProcessGroup, TrainingResult, joined_process_group
from tests.training.fakes import Points
from tests.training.parallel import train_scenario

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of two processes for every scenario of :mod:`tests.training.parallel`."""
    folder = tmp_path_factory.mktemp("process_group")
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


def load(folder: Path, scenario: str, rank: int) -> tuple[dict[str, torch.Tensor], TrainingResult]:
    state, result = torch.load(folder / f"{scenario}{rank}.pt", weights_only=False)
    return state, result


@pytest.mark.parametrize("scenario", ["few labels", "little memory", "short batch", "distillation"])
@pytest.mark.parametrize("rank", [0, 1])
def test_two_processes_train_as_one(results_folder: Path, scenario: str, rank: int) -> None:
    """Batches in which one process, or none, has labels of a task do not block."""
    network, expected = train_scenario(scenario, ProcessGroup())
    state, result = load(results_folder, scenario, rank)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(state[name], value, rtol=1e-5, atol=1e-6)
    for expected_record, record in zip(expected.epochs, result.epochs, strict=True):
        assert record.train_losses == pytest.approx(expected_record.train_losses, rel=1e-5)
        assert record.metrics == expected_record.metrics
    assert result.steps == expected.steps


def test_all_processes_split_batches_if_one_lacks_memory(results_folder: Path) -> None:
    def counts(scenario: str) -> list[int]:
        results = [load(results_folder, scenario, rank)[1] for rank in (0, 1)]
        return [result.num_micro_batches for result in results]

    assert counts("little memory") == [2, 2]
    assert counts("few labels") == [1, 1]


def test_final_statistics_are_equal_in_all_processes(results_folder: Path) -> None:
    (first, _), (second, _) = (load(results_folder, "statistics", rank) for rank in (0, 1))
    assert any("running_mean" in name for name in first)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_single_process_has_the_whole_batch() -> None:
    assert joined_process_group() == ProcessGroup()
    batch = Points().batch([0, 1, 2])
    assert ProcessGroup().local_batch(batch) is batch


def test_small_batch_leaves_some_ranks_without_images() -> None:
    batch = Points().batch([0, 1])
    parts = [ProcessGroup(rank, 3).local_batch(batch) for rank in range(3)]
    assert [0 if part is None else len(part.images) for part in parts] == [1, 1, 0]
