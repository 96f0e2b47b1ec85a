"""Early stopping with two objectives: paused trials, a kill, and the resumed search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtlsearch.results import TrialRecord
from mtlsearch.study import RunDirectory
from tests.cli.commands.test_search import measured
from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import call, run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_search")]

EARLY_STOPPING = RUN_FILE.replace("epochs: 1", "epochs: 3").replace(
    "trials: 4",
    "trials: 6, early_stopping: {rungs: [1], reduction_factor: 2}, "
    "objectives: [delta_m, flops], sampler: random",
)

KILLING = """
import os, signal
from mtlsearch.cli.commands import _search

class KillingView(_search.ProgressView):
    promoted = 0

    def trial_promoted(self, number, epochs, reason):
        super().trial_promoted(number, epochs, reason)
        self.promoted += 1

    def step(self, done, loss):
        if self.promoted == 2:
            os.kill(os.getpid(), signal.SIGKILL)

_search.ProgressView = KillingView
"""
"""Kills its own process in the first step after the second promotion."""


def digest_of(record: TrialRecord) -> str:
    return record.candidate.digest


def test_killed_search_gives_the_same_results(tmp_path: Path) -> None:
    file, complete, killed = tmp_path / "run.yaml", tmp_path / "complete", tmp_path / "killed"
    file.write_text(EARLY_STOPPING)
    result = call("search", file, "--out", complete)
    assert result.returncode == 0, result.stderr
    assert "resumes until epoch 3" in result.stderr
    records = records_of(complete)
    states = [record.state for record in records]
    assert states[:2] == ["complete"] * 2
    assert states.count("paused") >= 1
    assert states.count("complete") >= 4  # half of four candidates
    folder = RunDirectory(complete)
    for record in records:
        assert folder.weights(record.number).is_file() == (record.state == "complete")
        assert folder.checkpoint(record.number).is_file() == (record.state == "paused")
        assert record.epochs == (3 if record.state == "complete" else 1)

    process = run("search", file, "--out", killed, prelude=KILLING)
    assert process.returncode == -9, process.stderr
    assert call("search", file, "--out", killed).returncode == 0
    # A new trial continues the killed one, so the numbers differ.
    resumed = [record for record in records_of(killed) if record.state != "interrupted"]
    assert len(resumed) == len(records_of(killed)) - 1
    assert measured(sorted(resumed, key=digest_of)) == measured(sorted(records, key=digest_of))
    state_by_digest = {digest_of(record): record.state for record in records}
    assert {digest_of(record): record.state for record in resumed} == state_by_digest

    table = call("leaderboard", complete, "--plot", tmp_path / "front.png").stdout
    assert "at epoch 1" in table
    assert "is paused: " in table
    rows = json.loads(call("leaderboard", complete, "--format", "json").stdout)
    assert [row["state"] for row in rows] == sorted(states)
    assert (tmp_path / "front.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.early_stopping={rungs: [1, 3]}", "must be below `train.epochs` (3)"),
        ("search.early_stopping={rungs: [2, 1]}", "must be a rising list of epochs"),
        ("search.early_stopping={reduction_factor: 1}", "greater than or equal to 2"),
        ("search.objectives=[flops, flops]", "twice"),
        ("search.objectives=[]", "is an empty list"),
    ],
)
def test_invalid_early_stopping_ends_before_reading(
    tmp_path: Path, override: str, message: str
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(EARLY_STOPPING)
    result = call("search", file, "--out", tmp_path / "run", "--set", override)
    assert result.returncode in (1, 2)
    assert message in result.stderr
    assert not (tmp_path / "run").exists()
