"""Disks that are full and run directories that are deleted during a search, for real."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtlsearch.runs import _training_evaluator
from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import call

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 3 MB: less than the weights of both baselines need."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if os.name != "posix" or os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small disk cannot be mounted; run this test as root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def run_file(folder: Path) -> Path:
    file = folder / "run.yaml"
    file.write_text(RUN_FILE.replace("trials: 4", "trials: 3"))
    return file


def test_full_disk_interrupts_a_trial_and_the_search_resumes(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The estimate would refuse this disk before the search.
    monkeypatch.setattr("mtlsearch.runs._disk_use.BYTES_PER_PARAMETER", 0)
    run = small_disk / "run"
    full = call("search", run_file(tmp_path), "--out", run)
    assert full.returncode == 75
    assert "error: no space is left on the disk" in full.stderr
    assert f"where:   {run}" in full.stderr
    assert "run the same command to resume" in full.stderr
    states = [record.state for record in records_of(run)]
    assert states[-1] == "interrupted"
    assert "failed" not in states
    finished = [record for record in records_of(run) if record.state == "complete"]
    subprocess.run(["mount", "-o", "remount,size=30m", str(small_disk)], check=True)
    resumed = call("search", run_file(tmp_path), "--out", run)
    assert resumed.returncode == 0, resumed.stderr
    records = records_of(run)
    assert [record for record in records if record in finished] == finished
    assert [record.state for record in records].count("complete") == 3
    assert not [path for path in run.rglob("*") if ".tmp" in path.name]


def test_disk_below_the_estimate_is_refused(tmp_path: Path, small_disk: Path) -> None:
    result = call("search", run_file(tmp_path), "--out", small_disk / "run")
    assert result.returncode == 75
    assert "error: the disk is too small for this search: it writes at least" in result.stderr
    assert not (small_disk / "run").exists()


def test_deleted_run_directory_is_named_and_searched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, epochs = tmp_path / "run", []
    on_epoch = _training_evaluator.ProgressHooks.on_epoch

    def delete_in_second_trial(self: object, *arguments: object) -> None:
        epochs.append(arguments)
        if len(epochs) == 2:
            shutil.rmtree(run)
        on_epoch(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(_training_evaluator.ProgressHooks, "on_epoch", delete_in_second_trial)
        result = call("search", run_file(tmp_path), "--out", run)
    assert result.returncode == 75
    assert "error: the run directory was deleted during the search" in result.stderr
    again = call("search", run_file(tmp_path), "--out", run)
    assert again.returncode == 0, again.stderr
    assert [record.state for record in records_of(run)] == ["complete"] * 3
