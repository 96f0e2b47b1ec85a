"""``mtlsearch watch``."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mtlsearch.cli.commands import _watch
from mtlsearch.cli.commands._watch import changes, summarize
from mtlsearch.config import load_run
from mtlsearch.study import StudyView, read_view
from tests.cli.conftest import SmallSearch
from tests.cli.program import call

pytestmark = pytest.mark.xdist_group("small_search")


def test_watch_ends_with_a_complete_search(small_search: SmallSearch) -> None:
    result = call("watch", small_search.run)
    assert result.returncode == 0
    view = read_view(small_search.run, load_run(small_search.run / "run.yaml").config)
    *trials, summary = result.stdout.splitlines()
    assert len(trials) == len(view.records) + len(view.repeats)
    for record in view.records:
        assert f"trial {record.number}  {record.state}  " in trials[record.number]
        assert str(record.candidate.plan) in trials[record.number]
    assert summary.startswith(f"{view.num_finished} of {view.num_finished} trials finished")
    assert "0 running; best: trial" in summary


def test_watch_shows_each_change_once(small_search: SmallSearch) -> None:
    records = read_view(small_search.run, load_run(small_search.run / "run.yaml").config).records
    running = replace(records[1], state="running", results={}, seconds=0.0)
    shown: dict[int, str] = {}
    first = list(changes(StudyView((records[0], running)), shown))
    assert [line.split("  ")[1] for line in first] == ["complete", "running"]
    assert list(changes(StudyView((records[0], running)), shown)) == []
    (line,) = changes(StudyView(records[:2]), shown)
    assert line.startswith(
        f"trial 1  complete  Δm {StudyView(records).delta_m_by_number[1]:+.2f} %"
    )


def test_watch_counts_running_trials(small_search: SmallSearch) -> None:
    records = read_view(small_search.run, load_run(small_search.run / "run.yaml").config).records
    running = replace(records[1], state="running", results={})
    assert summarize(StudyView((records[0], running)), 9, None) == (
        "1 of 9 trials finished, 1 running"
    )


def test_watch_without_run_names_the_folder(tmp_path: Path) -> None:
    result = call("watch", tmp_path / "absent", "--once")
    assert result.returncode != 0
    assert "absent" in result.stderr


def test_watch_waits_for_a_search_that_starts(
    small_search: SmallSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def start(_seconds: float) -> None:
        shutil.copytree(small_search.run, run)

    monkeypatch.setattr(_watch.time, "sleep", start)
    result = call("watch", run)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count(f"waiting for a search in {run}") == 1
    assert "trials finished" in result.stdout


def test_summary_names_the_epochs_of_running_trials(small_search: SmallSearch) -> None:
    records = read_view(small_search.run, load_run(small_search.run / "run.yaml").config).records
    running = replace(records[1], state="running", results={})
    text = summarize(StudyView((records[0], running)), 9, None, {1: 2})
    assert text == "1 of 9 trials finished, 1 running (epochs of trial 1: 2)"
