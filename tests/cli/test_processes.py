"""Search in two processes of torchrun: the same results as in one process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest

from mtlsearch.study import RunDirectory
from tests.cli.conftest import records_of
from tests.cli.program import call, run_python

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]

RUN_FILE = """\
data:
  sources: {kind: scenes, train: 24, val: 8, image_size: 32, missing: 0.5}
  image_size: 32
tasks:
  scene: {kind: classification}
  shapes: {kind: segmentation}
backbone: {name: test_vit, granularity: 3}
train: {epochs: 2, batch_size: 6}
search: {space: tree, trials: 3}
"""
"""Without BatchNorm, which sees only the batch of its process; half of the labels are missing."""


def run_two_processes(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return run_python([*launcher, "-m", "mtlsearch.cli", *map(str, arguments)], cwd=cwd)


def test_two_processes_give_the_results_of_one(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    single = call("search", tmp_path / "run.yaml", "--out", tmp_path / "one")
    assert single.returncode == 0, single.stderr
    both = run_two_processes("search", "run.yaml", "--out", "two", cwd=tmp_path)
    assert both.returncode == 0, both.stderr
    assert both.stdout == "two\n"  # the second process prints nothing
    folders = RunDirectory(tmp_path / "one"), RunDirectory(tmp_path / "two")
    records = [records_of(folder.path) for folder in folders]
    assert len(records[0]) == 3
    for expected, actual in zip(*records, strict=True):
        assert actual.candidate == expected.candidate
        history = [pd.read_csv(folder.history(expected.number)) for folder in folders]
        frames = [table.drop(columns="seconds") for table in history]
        pd.testing.assert_frame_equal(*frames, rtol=1e-5)


def test_failed_search_ends_both_processes(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(RUN_FILE)
    options = ["--set", "train.learning_rate=1e30", "--set", "train.warmup=0"]
    result = run_two_processes("search", "run.yaml", "--out", "two", *options, cwd=tmp_path)
    assert result.returncode != 0
    assert "the independent baseline cannot be measured" in result.stderr
    assert [record.state for record in records_of(tmp_path / "two")] == ["failed"]
