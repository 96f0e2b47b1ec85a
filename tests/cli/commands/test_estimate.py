"""``estimate``: short trainings, the ranking it prints, a second call and a search."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from mtlsearch.config import load_run
from mtlsearch.search.estimate import Estimate
from mtlsearch.study import RunDirectory, open_run_storage, open_store
from tests.cli.commands.test_search import measured
from tests.cli.commands.test_worker import KILLING
from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import call
from tests.cli.program import run as run_process

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("estimate")]

OPTIONS = ("--epochs", "2", "--plans", "2")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("estimate") / "run"
    path.with_name("run.yaml").write_text(RUN_FILE)
    return path


@pytest.fixture(scope="module")
def result(run: Path) -> CompletedProcess[str]:
    completed = call("estimate", run.with_name("run.yaml"), "--out", run, *OPTIONS)
    assert completed.returncode == 0, completed.stderr
    return completed


def test_estimate_prints_plans_tasks_and_verdict(result: CompletedProcess[str]) -> None:
    lines = result.stdout.splitlines()
    header = next(line for line in lines if line.startswith("rank"))
    assert header.split() == ["rank", "plan", "Δm", "scene", "shapes", "FLOPs", "parameters"]
    assert any(line.split()[1:3] == ["independent", "*"] for line in lines)
    assert any(line.split()[1:3] == ["hard", "*"] for line in lines)
    assert "* trained: baselines in full, others for 1 of 2 epochs or more" in lines
    tasks = next(line for line in lines if line.startswith("task"))
    assert tasks.split()[:6] == ["task", "spread", "%", "noise", "%", "expected"]
    assert lines[-2].startswith("Best of ")
    assert "the better baseline" in lines[-1]
    assert "training for the estimate, epochs ..." in result.stderr


def test_trials_of_estimate_are_in_the_study(result: CompletedProcess[str], run: Path) -> None:
    records = records_of(run)
    assert [record.state for record in records] == ["complete", "complete", "paused", "paused"]
    estimate = Estimate.from_json(json.loads((run / "estimate.json").read_text()))
    assert {str(item.plan) for item in estimate.plans if item.is_trained} == {
        record.plan for record in records
    }


def test_later_calls_reuse_what_is_trained(result: CompletedProcess[str], run: Path) -> None:
    before = records_of(run)
    again = call("estimate", run.with_name("run.yaml"), "--out", run, *OPTIONS)
    assert again.stdout == result.stdout
    assert records_of(run) == before
    warm_start = ("--set", "search.warm_start=estimate", "--trials", "3", "--epochs", "2")
    search = call("search", run.with_name("run.yaml"), "--out", run, *warm_start)
    assert search.returncode == 0, search.stderr
    after = records_of(run)
    assert len(after) == len(before)
    assert [record.state for record in after].count("complete") == 3
    assert "resumes until epoch 2" in search.stderr


def test_own_schedule_trains_apart_from_the_run(
    result: CompletedProcess[str], run: Path, tmp_path: Path
) -> None:
    apart = tmp_path / "run"
    shutil.copytree(run, apart)
    before = records_of(apart)
    command = ("estimate", run.with_name("run.yaml"), "--out", apart, *OPTIONS, "--own-schedule")
    completed = call(*command)
    assert completed.returncode == 0, completed.stderr
    assert "others by a search or for 1 epoch with a schedule of their own" in completed.stdout
    assert records_of(apart) == before
    folder, config = RunDirectory(apart).short_trainings(1), load_run(apart / "run.yaml").config
    shorts = open_store(folder, config, open_run_storage(folder, config)).records()
    assert [record.baseline for record in shorts][:2] == ["independent", "hard"]
    full = {record.plan for record in before if record.state == "complete"}
    assert len({record.plan for record in shorts} | full) == 4
    assert {(record.state, record.epochs) for record in shorts} == {("complete", 1)}
    assert not list(folder.path.rglob("*.safetensors"))
    assert shorts[0].results != before[0].rung_results[1]  # at another learning rate
    estimate = Estimate.from_json(json.loads((apart / "estimate.json").read_text()))
    assert estimate.has_own_schedule
    assert call(*command).stdout == completed.stdout


def test_estimate_continues_a_killed_baseline_exactly(tmp_path: Path) -> None:
    """``independent`` is killed in its third epoch."""
    file, run, whole = tmp_path / "run.yaml", tmp_path / "run", tmp_path / "whole"
    file.write_text(RUN_FILE)
    options = ("--epochs", "3", "--plans", "1", "--device", "cpu")
    killing = KILLING.replace("_search", "_estimate").replace("number == 1", "number == 0")
    killed = run_process("estimate", file, "--out", run, *options, prelude=killing)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [record.state for record in records_of(run)] == ["interrupted"]
    result = call("estimate", file, "--out", run, "-v", *options)
    assert result.returncode == 0, result.stderr
    epochs = [line.strip() for line in result.stderr.splitlines() if line.startswith("  epoch ")]
    first, second = (epoch.partition("  ")[0] for epoch in epochs[:2])
    assert (first, second) == ("epoch 3 of 3", "epoch 1 of 3")
    records = records_of(run)
    states = ["interrupted", "complete", "complete", "paused"]
    assert [record.state for record in records] == states
    assert call("estimate", file, "--out", whole, *options).returncode == 0
    expected = records_of(whole)
    assert measured(records) == measured(expected)
    assert [item.rung_results for item in records[1:]] == [item.rung_results for item in expected]
