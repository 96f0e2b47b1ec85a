"""Logs of a search: each trial once, also one that pauses, and a logger that fails."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import call

SILENT = """
from mtlsearch.plugin import Logger, hookimpl

class Silent(Logger):
    name = "silent"
    summary = "fails in the second trial"

    def trial_started(self, trial, epochs):
        self.number = trial.number
        assert trial.params["plan"] and trial.folder.parent.parent == trial.run

    def epoch_finished(self, epoch):
        if self.number == 1:
            raise ConnectionError("the server is down")

@hookimpl
def mtlsearch_loggers():
    return [Silent]
"""


@pytest.mark.slow
def test_search_logs_each_epoch_of_each_trial_once(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "silent.py").write_text(SILENT)
    file, run = tmp_path / "run.yaml", tmp_path / "run"
    file.write_text(
        "plugins: [mine]\n"
        + RUN_FILE.replace("epochs: 1,", "epochs: 3, log: [csv, tensorboard, silent],").replace(
            "trials: 4", "trials: 5, early_stopping: {rungs: [1], reduction_factor: 2}"
        )
    )
    result = call("search", file, "--out", run, "--device", "cpu")
    assert result.returncode == 0, result.stderr
    warnings = [line for line in result.stderr.splitlines() if "silent" in line]
    assert len(warnings) == 1
    assert "trials/0001" in warnings[0]
    assert "ConnectionError: the server is down" in warnings[0]
    records = records_of(run)
    assert {record.state for record in records} == {"complete", "paused"}
    assert "promoted" in result.stderr or any(record.epochs == 1 for record in records)
    for record in records:
        folder = run / "trials" / f"{record.number:04d}"
        with (folder / "history.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [int(row["epoch"]) + 1 for row in rows] == list(range(1, record.epochs + 1))
        events = EventAccumulator(str(folder))
        events.Reload()
        for name, tag in (("scene.loss", "scene/loss"), ("learning_rate", "learning_rate")):
            values = [(event.step, event.value) for event in events.Scalars(tag)]
            expected = [(int(row["epoch"]) + 1, float(row[name])) for row in rows]
            assert [step for step, _ in values] == [step for step, _ in expected]
            assert [value for _, value in values] == pytest.approx([v for _, v in expected])
