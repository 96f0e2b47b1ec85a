"""A run with a budget, from the command line: searched, shown, gone on with, exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.inside import call

pytestmark = pytest.mark.slow

BUDGET = "budget: {params: 0.99 independent, latency_ms: 100 hard, latency_batch: 2}\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limits")
    (folder / "run.yaml").write_text(RUN_FILE + BUDGET)
    said = call("search", folder / "run.yaml", "--out", folder / "out", "--trials", "3")
    assert said.code == 0, said.err
    assert "budget: params at most" in said.err
    return folder / "out"


def test_the_budget_is_kept_when_the_run_goes_on(run: Path) -> None:
    said = call("search", run / "run.yaml", "--out", run, "--trials", "4")
    assert said.code == 0, said.err
    records = records_of(run)
    assert [record.state for record in records] == ["complete"] * 4
    assert all(record.parameters <= 0.99 * records[0].parameters for record in records[1:])
    assert all(record.latency is not None for record in records)
    other = call("search", run / "run.yaml", "--out", run, "--set", "limits.params=2x")
    assert other.code != 0
    assert "limits.params" in other.err


def test_the_leaderboard_marks_what_is_over(run: Path) -> None:
    rows = json.loads(call("leaderboard", run, "--format", "json").out)
    over = {row["trial"] for row in rows if row["over_limits"]}
    assert over == {0}
    assert all(row["latency_ms"] > 0 and row["latency_batch"] == 2 for row in rows)
    table = call("leaderboard", run).out
    assert "✗ over budget" in table
    assert "✗ 0" in table


def test_the_best_is_within_and_the_other_is_had_by_number(run: Path, tmp_path: Path) -> None:
    said = call("export", run, "--out", tmp_path / "best")
    assert said.code == 0, said.err
    assert "exporting trial 0" not in said.err
    said = call("export", run, "--out", tmp_path / "dear", "--trial", "0")
    assert "exporting trial 0" in said.err
    assert said.code == 0, said.err


def test_without_room_nothing_is_trained(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(RUN_FILE + "budget: {flops: 1M}\n")
    said = call("search", tmp_path / "run.yaml", "--out", tmp_path / "out")
    assert said.code != 0
    assert "no candidate of the search space is within the budget" in said.err
    assert "run.yaml:12 (limits.flops)" in said.err
    assert "hard has" in said.err
    assert not (tmp_path / "out").exists()  # so that the same command may try another budget
