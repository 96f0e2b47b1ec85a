"""A run with limits: search, leaderboard, resume and export."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import call

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("limits")]

LIMITS = "limits: {params: 0.99 independent, latency_ms: 100 hard, latency_batch: 2}\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limits")
    (folder / "run.yaml").write_text(RUN_FILE + LIMITS)
    result = call("search", folder / "run.yaml", "--out", folder / "out", "--trials", "3")
    assert result.returncode == 0, result.stderr
    assert "limits: params at most" in result.stderr
    return folder / "out"


def test_resumed_search_keeps_the_limits(run: Path) -> None:
    result = call("search", run / "run.yaml", "--out", run, "--trials", "4")
    assert result.returncode == 0, result.stderr
    records = records_of(run)
    assert [record.state for record in records] == ["complete"] * 4
    assert all(record.parameters <= 0.99 * records[0].parameters for record in records[1:])
    assert all(record.latency is not None for record in records)
    other = call("search", run / "run.yaml", "--out", run, "--set", "limits.params=2x")
    assert other.returncode != 0
    assert "limits.params" in other.stderr


def test_leaderboard_marks_trials_over_limits(run: Path) -> None:
    rows = json.loads(call("leaderboard", run, "--format", "json").stdout)
    over = {row["trial"] for row in rows if row["over_limits"]}
    assert over == {0}
    assert all(row["latency_ms"] > 0 and row["latency_batch"] == 2 for row in rows)
    table = call("leaderboard", run).stdout
    assert "✗ over the limits" in table
    assert re.search(r"✗○? 0 ", table)


def test_export_of_best_is_within_limits(run: Path, tmp_path: Path) -> None:
    result = call("export", run, "--out", tmp_path / "best")
    assert result.returncode == 0, result.stderr
    assert "exporting trial 0" not in result.stderr
    result = call("export", run, "--out", tmp_path / "over", "--trial", "0")
    assert "exporting trial 0" in result.stderr
    assert result.returncode == 0, result.stderr


def test_infeasible_limits_end_before_training(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(RUN_FILE + "limits: {flops: 1M}\n")
    result = call("search", tmp_path / "run.yaml", "--out", tmp_path / "out")
    assert result.returncode != 0
    assert "no candidate of the search space is within the limits" in result.stderr
    assert "run.yaml:12 (limits.flops)" in result.stderr
    assert "hard has" in result.stderr
    assert not (tmp_path / "out").exists()  # the same command works with other limits
