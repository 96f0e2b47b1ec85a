"""``search --workers`` and ``worker``: several processes, interrupts and trials that continue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mtlsearch.study import RunDirectory
from tests.cli.commands.test_search import measured
from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import ENVIRONMENT, START, call
from tests.cli.program import run as run_process

pytestmark = pytest.mark.slow

KILLING = """
import os, signal
from mtlsearch.cli.commands import _search
from mtlsearch.runs import _training_evaluator
from mtlsearch.training import _checkpoint

_training_evaluator.CHECKPOINT_SECONDS = 0.0
_checkpoint.MIN_RATIO = 0

class KillingView(_search.ProgressView):
    def trial_started(self, number, what, steps):
        self.number = number

    def step(self, done, loss):
        if self.number == 1 and done > 4:
            os.kill(os.getpid(), signal.SIGKILL)

_search.ProgressView = KillingView
"""
"""Writes a checkpoint after each epoch and kills its own process in the third epoch of trial 1."""


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE.replace("epochs: 1", "epochs: 3"))
    return file


def test_worker_continues_a_killed_trial_exactly(run_file: Path, tmp_path: Path) -> None:
    whole, run = tmp_path / "whole", RunDirectory(tmp_path / "run")
    two = ("--trials", "2", "--device", "cpu")
    assert call("search", run_file, "--out", whole, *two).returncode == 0
    killed = run_process("search", run_file, "--out", run.path, *two, prelude=KILLING)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [record.state for record in records_of(run.path)] == ["complete", "interrupted"]
    assert run.checkpoint(1).is_file()
    result = call("worker", run_file, "--out", run.path, "-v", *two)
    assert result.returncode == 0, result.stderr
    epochs = [line.strip() for line in result.stderr.splitlines() if line.startswith("  epoch ")]
    assert [epoch.partition("  ")[0] for epoch in epochs] == ["epoch 3 of 3"]
    records = records_of(run.path)
    assert [record.state for record in records] == ["complete", "interrupted", "complete"]
    assert measured(records) == measured(records_of(whole))
    assert run.weights(2).read_bytes() == RunDirectory(whole).weights(1).read_bytes()
    assert not run.has_checkpoints
    assert not list(run.path.glob(".worker-*"))


def test_workers_are_interrupted_and_resume(run_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ["search", str(run_file), "--out", str(run), "--device", "cpu", "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    )
    assert process.stderr is not None
    lines = [process.stderr.readline()]
    while "complete" not in lines[-1]:
        assert lines[-1], lines
        lines.append(process.stderr.readline())
    process.send_signal(signal.SIGINT)
    lines += process.stderr.readlines()
    process.stderr.close()
    assert process.wait(timeout=120) == 130
    assert lines[0] == f"opening {run_file} ...\n"
    assert "2 workers, 1 thread each\n" in lines
    assert "interrupted: finished trials are kept" in "".join(lines)
    assert "Traceback" not in "".join(lines)
    states = {record.state for record in records_of(run)}
    assert "complete" in states <= {"complete", "interrupted"}
    assert not list(run.glob(".worker-*"))

    result = run_process(*arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{run}\n"
    assert f"next: mtlsearch leaderboard {run}" in result.stderr
    complete = [record for record in records_of(run) if record.state == "complete"]
    assert len(complete) == len({record.candidate.digest for record in complete}) == 4
    assert {record.baseline for record in complete} == {"independent", "hard", None}
    assert all(record.basis is not None for record in records_of(run))
    assert not RunDirectory(run).has_checkpoints


def test_workers_report_an_error_once(run_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    wrong = ("--set", "data.sources.image_size=1", "--workers", "2", "--device", "cpu")
    result = run_process("search", run_file, "--out", run, *wrong)
    assert result.returncode in (1, 2), result.stderr
    assert result.stderr.count("error:") == 1
    assert not run.exists()


def test_worker_without_run_file_needs_a_study() -> None:
    result = call("worker", "--storage", "sqlite:///x.db")
    assert result.returncode == 2
    assert "--storage URL --study NAME" in result.stderr


def test_worker_takes_the_run_file_from_a_study(run_file: Path, tmp_path: Path) -> None:
    options = ("--storage", f"sqlite:///{tmp_path}/shared.db", "--study", "shared")
    few = ("--set", "train.epochs=1", "--device", "cpu")
    first = call("worker", run_file, "--out", tmp_path / "a", *options, "--trials", "2", *few)
    assert first.returncode == 0, first.stderr
    second = call("worker", "--out", tmp_path / "b", *options, "--trials", "3")
    assert second.returncode == 0, second.stderr
    assert records_of(tmp_path / "a") == records_of(tmp_path / "b")
    assert [record.state for record in records_of(tmp_path / "b")] == ["complete"] * 3
    assert RunDirectory(tmp_path / "b").weights(2).is_file()
    wrong = call("worker", *options[:2], "--study", "other", "--out", tmp_path / "c")
    assert wrong.returncode == 1
    assert "contains no study 'other'" in wrong.stderr
