"""``mtlsearch repair``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlsearch.config import load_run
from mtlsearch.study import RunDirectory, open_run_storage, open_store
from tests.cli.conftest import SmallSearch
from tests.cli.program import call

pytestmark = pytest.mark.xdist_group("small_search")


def test_repair_shows_lines_and_leaderboard_works(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    run = small_search.copy(tmp_path)
    journal = run / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    index = next(number for number, line in enumerate(lines) if b'"state":"complete"' in line)
    journal.write_bytes(b"".join([*lines[:index], b"garbage\n", *lines[index + 1 :]]))
    shown = call("leaderboard", run)
    assert shown.returncode == 1
    assert f"the journal is damaged: line {index + 1} is not an entry of Optuna" in shown.stderr
    assert f"run `mtlsearch repair {run}`" in shown.stderr
    result = call("repair", run)
    assert result.returncode == 0
    assert f"line {index + 1} is not an entry of Optuna" in result.stdout
    assert f"2 of {len(lines)} lines set aside: {journal}.damaged" in result.stdout
    assert f"backup of the journal: {journal}.backup" in result.stdout
    assert "garbage\n" in (run / "study.journal.damaged").read_text()
    assert call("leaderboard", run).returncode == 0
    assert "nothing was changed" in call("repair", run).stdout
    resumed = call("search", small_search.file, "--out", run)
    assert resumed.returncode == 0, resumed.stderr


def test_data_are_not_accepted_while_a_worker_runs(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    run = small_search.copy(tmp_path)
    folder, config = RunDirectory(run), load_run(run / "run.yaml").config
    with open_store(folder, config, open_run_storage(folder, config)).joined(run):
        refused = call("repair", run, "--accept-data")
    assert refused.returncode == 1
    assert "a search uses this run directory" in refused.stderr


def test_folder_of_data_needs_accept_data(tmp_path: Path) -> None:
    refused = call("repair", tmp_path, "--data-root", tmp_path)
    assert refused.returncode == 2
    assert "a repair of the journal reads no data" in refused.stderr
    assert "add `--accept-data`" in refused.stderr
