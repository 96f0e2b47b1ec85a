"""A search that stops trials early, for two objectives, killed and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtlsearch.study import RunDirectory
from tests.cli.commands.test_search import measured
from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import call
from tests.cli.program import run as run_program

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_search")]

HALVING = RUN_FILE.replace("epochs: 1", "epochs: 3").replace(
    "trials: 4",
    "trials: 6, early_stopping: {rungs: [1], reduction_factor: 2}, objectives: [delta_m, flops], sampler: random",
)

KILLING = """
import os, signal
from mtlsearch.cli._progress import ProgressView

class Killing(ProgressView):
    promoted = 0

    def trial_promoted(self, number, epochs, why):
        super().trial_promoted(number, epochs, why)
        self.promoted += 1

    def step(self, done, loss):
        if self.promoted == 2:
            os.kill(os.getpid(), signal.SIGKILL)

from mtlsearch.cli import _search
_search.ProgressView = Killing
"""
"""Kills itself in the first step of the second promotion."""


def test_the_whole_way(tmp_path: Path) -> None:
    file, whole, killed = tmp_path / "run.yaml", tmp_path / "whole", tmp_path / "killed"
    file.write_text(HALVING)
    said = call("search", file, "--out", whole)
    assert said.returncode == 0, said.stderr
    assert "goes on to epoch 3" in said.stderr
    records = records_of(whole)
    states = [record.state for record in records]
    assert states[:2] == ["complete"] * 2
    assert states.count("paused") >= 1
    assert states.count("complete") >= 4  # half of four candidates
    run = RunDirectory(whole)
    for record in records:
        assert run.weights(record.number).is_file() == (record.state == "complete")
        assert run.checkpoint(record.number).is_file() == (record.state == "paused")
        assert record.epochs == (3 if record.state == "complete" else 1)

    dead = run_program("search", file, "--out", killed, prelude=KILLING)
    assert dead.returncode == -9, dead.stderr
    assert call("search", file, "--out", killed).returncode == 0
    assert measured(records_of(killed)) == measured(records)
    assert [record.state for record in records_of(killed)] == states

    table = call("leaderboard", whole, "--plot", tmp_path / "front.png").stdout
    assert "at epoch 1" in table
    assert "was stopped: " in table
    rows = json.loads(call("leaderboard", whole, "--format", "json").stdout)
    assert [row["state"] for row in rows] == sorted(states)
    assert (tmp_path / "front.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("search.early_stopping={rungs: [1, 3]}", "below `train.epochs` (3), got 3"),
        ("search.early_stopping={rungs: [2, 1]}", "a rising list of epochs"),
        ("search.early_stopping={reduction_factor: 1}", "greater than or equal to 2"),
        ("search.objectives=[flops, flops]", "twice"),
        ("search.objectives=[]", "empty list"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(
    tmp_path: Path, setting: str, said: str
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(HALVING)
    found = call("search", file, "--out", tmp_path / "run", "--set", setting)
    assert found.returncode == 2 or found.returncode == 1
    assert said in found.stderr
    assert not (tmp_path / "run").exists()
