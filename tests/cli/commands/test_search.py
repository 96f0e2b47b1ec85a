"""``search``: first start, interruptions, resuming and errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtlsearch.results import TrialRecord
from mtlsearch.study import RunDirectory
from tests.cli.conftest import SmallSearch, records_of
from tests.cli.program import call
from tests.cli.program import run as run_process

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_search")]

STOPPING = """
import os, signal
from mtlsearch.cli.commands import _search

class StoppingView(_search.ProgressView):
    def trial_started(self, number, what, steps):
        self.number = number

    def step(self, done, loss):
        if self.number == 2:
            os.kill(os.getpid(), signal.{signal})

_search.ProgressView = StoppingView
"""
"""Sends a signal to its own process in the first step of trial 2."""


def measured(records: list[TrialRecord]) -> list[tuple[object, ...]]:
    """Return candidates and results of complete trials, without times."""
    return [
        (record.baseline, record.candidate, record.results, record.parameters, record.flops)
        for record in records
        if record.state == "complete"
    ]


def test_search_trains_and_prints_all_trials(small_search: SmallSearch) -> None:
    records = records_of(small_search.run)
    assert [record.number for record in records] == [0, 1, 2, 3]
    assert [record.baseline for record in records] == ["independent", "hard", None, None]
    assert {record.state for record in records} == {"complete"}
    assert len({record.candidate.digest for record in records}) == 4
    for record in records:
        assert RunDirectory(small_search.run).weights(record.number).is_file()
        assert RunDirectory(small_search.run).history(record.number).is_file()
    assert small_search.result.stdout == f"{small_search.run}\n"
    lines = small_search.result.stderr.splitlines()
    assert lines[:2] == [f"opening {small_search.file} ...", "reading images ..."]
    for record in records:
        (line,) = [line for line in lines if line.startswith(f"trial {record.number}  ")]
        numbers = r"trial \d  complete  Δm [+-]\d+\.\d\d %(  \w+\.\w+ \d+\.\d{3})+  \d+\.\d s  "
        assert re.fullmatch(numbers + re.escape(record.plan), line)
    assert lines[-1] == f"next: mtlsearch leaderboard {small_search.run}"


def test_search_of_the_same_seed_is_the_same(small_search: SmallSearch, tmp_path: Path) -> None:
    assert call("search", small_search.file, "--out", tmp_path / "again").returncode == 0
    assert measured(records_of(tmp_path / "again")) == measured(records_of(small_search.run))


def test_resumed_search_trains_only_new_trials(small_search: SmallSearch, tmp_path: Path) -> None:
    run = small_search.copy(tmp_path)
    written = {file: file.stat().st_mtime_ns for file in run.rglob("weights.safetensors")}
    result = call("search", small_search.file, "--out", run, "--trials", "5")
    assert result.returncode == 0
    assert "resuming: 4 of 5 trials are finished" in result.stderr
    assert [text[:8] for text in result.stderr.splitlines() if text.startswith("trial")] == [
        "trial 4 "
    ]
    records = records_of(run)
    assert records[:4] == records_of(small_search.run)
    assert [record.state for record in records] == ["complete"] * 5
    assert len({record.candidate.digest for record in records}) == 5
    assert all(file.stat().st_mtime_ns == before for file, before in written.items())
    repeated = call("search", small_search.file, "--out", run, "--trials", "5")
    assert repeated.returncode == 0
    assert records_of(run) == records


def test_killed_search_loses_only_the_running_trial(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    killed = run_process(
        "search", small_search.file, "--out", run, prelude=STOPPING.format(signal="SIGKILL")
    )
    assert killed.returncode == -9, killed.stderr
    assert [record.state for record in records_of(run)] == ["complete", "complete", "interrupted"]
    result = call("search", small_search.file, "--out", run)
    assert result.returncode == 0
    assert "resuming: 2 of 4 trials are finished" in result.stderr
    records = records_of(run)
    assert [record.state for record in records] == (
        ["complete"] * 2 + ["interrupted"] + ["complete"] * 2
    )
    assert measured(records) == measured(records_of(small_search.run))
    assert "trial 2 was interrupted" in call("leaderboard", run).stdout


def test_ctrl_c_prints_how_to_resume(small_search: SmallSearch, tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped = run_process(
        "search", small_search.file, "--out", run, prelude=STOPPING.format(signal="SIGINT")
    )
    assert stopped.returncode == 130
    assert stopped.stdout == ""
    start = stopped.stderr.index("interrupted: ")
    assert stopped.stderr[start:].splitlines() == [
        "interrupted: finished trials are kept, the running trial continues from its last "
        "checkpoint if it has one",
        f"  where:   {run}",
        "  next:    run the same command to resume, "
        f"or `mtlsearch leaderboard {run}` to see the finished trials",
    ]
    assert "Traceback" not in stopped.stderr
    assert [record.state for record in records_of(run)] == ["complete"] * 2 + ["interrupted"]
    assert call("search", small_search.file, "--out", run).returncode == 0
    assert measured(records_of(run)) == measured(records_of(small_search.run))


def test_other_settings_need_another_folder(small_search: SmallSearch, tmp_path: Path) -> None:
    run = small_search.copy(tmp_path)
    result = call("search", small_search.file, "--out", run, "--set", "train.epochs=2")
    assert result.returncode == 1
    assert "has other settings: train.epochs\n" in result.stderr
    assert "--out" in result.stderr
    assert records_of(run) == records_of(small_search.run)


def test_run_directory_in_use_is_an_error(small_search: SmallSearch, tmp_path: Path) -> None:
    run = small_search.copy(tmp_path)
    with RunDirectory(run).locked():
        result = call("search", small_search.file, "--out", run, "--trials", "5")
        assert result.returncode == 1
        assert "another search uses this run directory: process " in result.stderr
        assert call("leaderboard", run).returncode == 0  # reading needs no lock


def test_search_ends_when_the_space_is_exhausted(small_search: SmallSearch, tmp_path: Path) -> None:
    result = call(
        "search",
        small_search.file,
        "--out",
        tmp_path / "run",
        "--set",
        "search.space=hard",
        "--trials",
        "9",
    )
    assert result.returncode == 0
    assert "2 of 9 trials: all candidates of the search space" in result.stderr
    assert len(records_of(tmp_path / "run")) == 2


def test_trials_show_one_of_several_backbones(small_search: SmallSearch, tmp_path: Path) -> None:
    options = ["--trials", "1", "--set", "backbone.name=[test_resnet, test_vit]"]
    result = call("search", small_search.file, "--out", tmp_path / "run", *options)
    assert result.returncode == 0
    assert re.search(
        r"^trial 0  complete .*  independent, on test_resnet$", result.stderr, re.MULTILINE
    )
    assert ", on " not in small_search.result.stderr


def test_leaderboard_shows_why_a_trial_diverged(small_search: SmallSearch, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = call(
        "search", small_search.file, "--out", run, "--trials", "3", "--set",
        "search.learning_rate=[1e29, 1e30]",
    )  # fmt: skip
    assert result.returncode == 0
    assert [record.state for record in records_of(run)] == ["complete", "complete", "failed"]
    reason = r"the (loss|gradient) of .*'(scene|shapes)'.* became (nan|inf) in step \d"
    assert re.search(rf"trial 2  failed  .*{reason}", result.stderr)
    assert re.search(rf"trial 2 failed: {reason}", call("leaderboard", run).stdout)


def test_failed_baseline_ends_the_search(small_search: SmallSearch, tmp_path: Path) -> None:
    for _ in range(2):
        result = call(
            "search",
            small_search.file,
            "--out",
            tmp_path / "run",
            "--set",
            "train.learning_rate=1e30",
        )
        assert result.returncode == 1
        assert "error: the independent baseline cannot be measured" in result.stderr
        assert "became" in result.stderr
        assert "next:    set train.learning_rate to a smaller value" in result.stderr
    shown = call("leaderboard", tmp_path / "run").stdout
    assert "trial 0 failed: the " in shown
    assert "trial 1 failed: the " in shown


def test_storage_url_stores_the_study(small_search: SmallSearch, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--set", "search.storage=sqlite:///study.db", "--trials", "2"]
    assert call("search", small_search.file, "--out", run, *options).returncode == 0
    assert (run / "study.db").is_file()
    assert measured(records_of(run)) == measured(records_of(small_search.run))[:2]


def test_unusable_storage_url_is_an_error(small_search: SmallSearch, tmp_path: Path) -> None:
    options = ["--set", "search.storage=nosuch://here"]
    result = call("search", small_search.file, "--out", tmp_path / "run", *options)
    assert result.returncode == 1
    assert "the storage cannot be opened" in result.stderr
    assert "nosuch://here" in result.stderr


def test_unavailable_device_is_an_error(small_search: SmallSearch, tmp_path: Path) -> None:
    result = call("search", small_search.file, "--out", tmp_path / "run", "--device", "cuda:77")
    assert result.returncode == 2
    assert "device 'cuda:77' is not available" in result.stderr
