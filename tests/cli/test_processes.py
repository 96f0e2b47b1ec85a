"""Processes that torchrun starts train each trial together, and measure what one does alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mtlsearch.study import RunDirectory
from tests.cli.conftest import records_of
from tests.cli.program import run as run_program

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]

RUN_FILE = """\
data:
  sources: {kind: scenes, train: 24, val: 8, size: 32, missing: 0.5}
  image_size: 32
tasks:
  scene: {kind: classification}
  shapes: {kind: segmentation}
backbone: {name: test_vit, granularity: 3}
train: {epochs: 2, batch_size: 6}
search: {space: tree, trials: 3}
"""
"""Without batch norm, which sees a process's part of a batch; half of the labels are missing."""


def two_processes(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*launcher, "--nproc-per-node", "2", "-m", "mtlsearch.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_two_processes_measure_what_one_does(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    alone = run_program("search", "run.yaml", "--out", "one", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    both = two_processes("search", "run.yaml", "--out", "two", cwd=tmp_path)
    assert both.returncode == 0, both.stderr
    assert both.stdout == "two\n"  # the second one says nothing
    one, two = RunDirectory(tmp_path / "one"), RunDirectory(tmp_path / "two")
    records = records_of(one.path), records_of(two.path)
    assert len(records[0]) == 3
    for mine, other in zip(*records, strict=True):
        assert mine.candidate == other.candidate
        history = [pd.read_csv(run.history(mine.number)) for run in (one, two)]
        frames = [table.drop(columns="seconds") for table in history]
        pd.testing.assert_frame_equal(*frames, rtol=1e-5)


def test_a_search_that_cannot_go_on_lets_both_end(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    hot = ["--set", "train.learning_rate=1e30", "--set", "train.warmup=0"]
    said = two_processes("search", "run.yaml", "--out", "two", *hot, cwd=tmp_path)
    assert said.returncode != 0
    assert "the independent baseline cannot be measured" in said.stderr
    assert [record.state for record in records_of(tmp_path / "two")] == ["failed"]
