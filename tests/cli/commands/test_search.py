"""``search``: begun, stopped in every way, and gone on with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtlsearch.results import TrialRecord
from mtlsearch.study import RunDirectory
from tests.cli.conftest import Line, records_of
from tests.cli.inside import call
from tests.cli.program import run as run_program

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("line")]

STOPPING = """
import os, signal
from mtlsearch.cli._progress import ProgressView

class Stopping(ProgressView):
    def trial_started(self, number, what, steps):
        self.number = number

    def step(self, done, loss):
        if self.number == 2:
            os.kill(os.getpid(), signal.{signal})

from mtlsearch.cli import _search
_search.ProgressView = Stopping
"""
"""Sends a signal to itself in the first step of trial 2."""


def measured(records: list[TrialRecord]) -> list[tuple[object, ...]]:
    """What was trained and what came of it, without times."""
    return [
        (record.baseline, record.candidate, record.results, record.parameters, record.flops)
        for record in records
        if record.state == "complete"
    ]


def test_a_first_search(line: Line) -> None:
    records = records_of(line.run)
    assert [record.number for record in records] == [0, 1, 2, 3]
    assert [record.baseline for record in records] == ["independent", "hard", None, None]
    assert {record.state for record in records} == {"complete"}
    assert len({record.candidate.digest for record in records}) == 4
    for record in records:
        assert RunDirectory(line.run).weights(record.number).is_file()
        assert RunDirectory(line.run).history(record.number).is_file()
    assert line.said.out == f"{line.run}\n"
    said = line.said.err.splitlines()
    assert said[0] == "reading images ..."
    for record in records:
        (told,) = [text for text in said if text.startswith(f"trial {record.number}  ")]
        numbers = r"trial \d  complete  Δm [+-]\d+\.\d\d %  \d+\.\d s  "
        assert re.fullmatch(numbers + re.escape(record.plan), told)
    assert said[-1] == f"next: mtlsearch leaderboard {line.run}"


def test_the_same_seed_gives_the_same_numbers(line: Line, tmp_path: Path) -> None:
    assert call("search", line.file, "--out", tmp_path / "again").code == 0
    assert measured(records_of(tmp_path / "again")) == measured(records_of(line.run))


def test_more_trials_go_on_and_train_nothing_again(line: Line, tmp_path: Path) -> None:
    run = line.copy(tmp_path)
    written = {file: file.stat().st_mtime_ns for file in run.rglob("weights.safetensors")}
    said = call("search", line.file, "--out", run, "--trials", "5")
    assert said.code == 0
    assert "going on: 4 of 5 trials are done" in said.err
    assert [text[:8] for text in said.err.splitlines() if text.startswith("trial")] == ["trial 4 "]
    records = records_of(run)
    assert records[:4] == records_of(line.run)
    assert [record.state for record in records] == ["complete"] * 5
    assert len({record.candidate.digest for record in records}) == 5
    assert all(file.stat().st_mtime_ns == before for file, before in written.items())
    again = call("search", line.file, "--out", run, "--trials", "5")
    assert again.code == 0
    assert records_of(run) == records


def test_a_kill_loses_the_running_trial_alone(line: Line, tmp_path: Path) -> None:
    run = tmp_path / "run"
    killed = run_program(
        "search", line.file, "--out", run, prelude=STOPPING.format(signal="SIGKILL")
    )
    assert killed.returncode == -9, killed.stderr
    assert [record.state for record in records_of(run)] == ["complete", "complete", "interrupted"]
    said = call("search", line.file, "--out", run)
    assert said.code == 0
    assert "going on: 2 of 4 trials are done" in said.err
    records = records_of(run)
    assert [record.state for record in records] == (
        ["complete"] * 2 + ["interrupted"] + ["complete"] * 2
    )
    assert measured(records) == measured(records_of(line.run))
    assert "trial 2 was interrupted" in call("leaderboard", run).out


def test_ctrl_c_says_how_to_go_on(line: Line, tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped = run_program(
        "search", line.file, "--out", run, prelude=STOPPING.format(signal="SIGINT")
    )
    assert stopped.returncode == 130
    assert stopped.stdout == ""
    at = stopped.stderr.index("stopped: ")
    assert stopped.stderr[at:].splitlines() == [
        "stopped: finished trials are kept, the one that was running is run again",
        f"  where:   {run}",
        f"  next:    the same command goes on; `mtlsearch leaderboard {run}` shows what there is",
    ]
    assert "Traceback" not in stopped.stderr
    assert [record.state for record in records_of(run)] == ["complete"] * 2 + ["interrupted"]
    assert call("search", line.file, "--out", run).code == 0
    assert measured(records_of(run)) == measured(records_of(line.run))


def test_other_settings_want_another_folder(line: Line, tmp_path: Path) -> None:
    run = line.copy(tmp_path)
    said = call("search", line.file, "--out", run, "--set", "train.epochs=2")
    assert said.code == 1
    assert "holds a search with other settings: train.epochs\n" in said.err
    assert "--out" in said.err
    assert records_of(run) == records_of(line.run)


def test_a_folder_in_use(line: Line, tmp_path: Path) -> None:
    run = line.copy(tmp_path)
    with RunDirectory(run).locked():
        said = call("search", line.file, "--out", run, "--trials", "5")
        assert said.code == 1
        assert "another search runs here, process " in said.err
        assert call("leaderboard", run).code == 0  # looking is always possible


def test_a_small_space_ends_and_says_so(line: Line, tmp_path: Path) -> None:
    said = call(
        "search",
        line.file,
        "--out",
        tmp_path / "run",
        "--set",
        "search.space=hard",
        "--trials",
        "9",
    )
    assert said.code == 0
    assert "2 of 9 trials: no further candidate was found" in said.err
    assert len(records_of(tmp_path / "run")) == 2


def test_trials_name_their_backbone_where_there_are_several(line: Line, tmp_path: Path) -> None:
    several = ["--trials", "1", "--set", "backbone.name=[test_resnet, test_vit]"]
    said = call("search", line.file, "--out", tmp_path / "run", *several)
    assert said.code == 0
    assert re.search(r"^trial 0  complete .*  independent, on test_resnet$", said.err, re.MULTILINE)
    assert ", on " not in line.said.err


def test_a_trial_that_diverges_is_in_the_leaderboard(line: Line, tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = call(
        "search", line.file, "--out", run, "--trials", "3", "--set",
        "search.learning_rate=[1e29, 1e30]",
    )  # fmt: skip
    assert said.code == 0
    assert [record.state for record in records_of(run)] == ["complete", "complete", "failed"]
    reason = r"the (loss|gradient) of .*'(scene|shapes)'.* became (nan|inf) in step \d"
    assert re.search(rf"trial 2  failed  .*{reason}", said.err)
    assert re.search(rf"trial 2 failed: {reason}", call("leaderboard", run).out)


def test_without_a_reference_there_is_no_search(line: Line, tmp_path: Path) -> None:
    for _ in range(2):
        said = call(
            "search", line.file, "--out", tmp_path / "run", "--set", "train.learning_rate=1e30"
        )
        assert said.code == 1
        assert "error: the independent baseline cannot be measured" in said.err
        assert "became" in said.err
        assert "next:    take a lower learning rate" in said.err
    shown = call("leaderboard", tmp_path / "run").out
    assert "trial 0 failed: the " in shown
    assert "trial 1 failed: the " in shown


def test_a_storage_url(line: Line, tmp_path: Path) -> None:
    run = tmp_path / "run"
    given = ["--set", "search.storage=sqlite:///study.db", "--trials", "2"]
    assert call("search", line.file, "--out", run, *given).code == 0
    assert (run / "study.db").is_file()
    assert measured(records_of(run)) == measured(records_of(line.run))[:2]


def test_a_storage_url_that_does_not_open(line: Line, tmp_path: Path) -> None:
    given = ["--set", "search.storage=nosuch://here"]
    said = call("search", line.file, "--out", tmp_path / "run", *given)
    assert said.code == 1
    assert "the storage cannot be opened" in said.err
    assert "nosuch://here" in said.err


def test_a_device_that_is_not_there(line: Line, tmp_path: Path) -> None:
    said = call("search", line.file, "--out", tmp_path / "run", "--device", "cuda:77")
    assert said.code == 2
    assert "there is no device 'cuda:77'" in said.err
