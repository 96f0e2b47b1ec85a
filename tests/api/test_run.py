"""The object of a run: tables, trials and figures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

import mtlsearch
from mtlsearch.config import save_resolved
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.report import render
from mtlsearch.study import read_records
from tests.cli.program import call

pytestmark = pytest.mark.xdist_group("python_search")


def test_leaderboard_is_that_of_the_command(run: mtlsearch.Run) -> None:
    frame = run.leaderboard(all_metrics=True, errors=True)
    printed = call("leaderboard", run.path, "--format", "csv", "--errors").stdout
    assert render(frame, "csv") == printed
    assert list(run.leaderboard(top=1)["trial"]) == [frame["trial"].iloc[0]]
    assert "objects.mAP50" not in run.leaderboard()


def test_trials_have_the_stored_results(run: mtlsearch.Run) -> None:
    trials = run.trials
    for record in read_records(run.path, run.config):
        trial = trials[record.number]
        assert trial.number == record.number
        assert (trial.state, trial.baseline) == (record.state, record.baseline)
        assert trial.plan.sharing == record.candidate.plan
        assert (trial.parameters, trial.flops) == (record.parameters, record.flops)
        assert trial.metrics == {name: dict(r.metrics) for name, r in record.results.items()}
    assert trials[0].delta_m == 0.0
    assert trials[0].backbone == "test_resnet"


def test_history_has_one_row_per_epoch(run: mtlsearch.Run) -> None:
    trial = run.trial(0)
    frame = trial.history()
    assert list(frame.index) == [1, 2]
    assert {"scene.loss", "objects.loss", "shapes.mIoU", "seconds"} <= set(frame.columns)
    last = frame.loc[2, "scene.accuracy"]
    assert math.isclose(float(last), trial.metrics["scene"]["accuracy"])
    interrupted = next(trial for trial in run.trials.values() if trial.state == "interrupted")
    assert interrupted.history().empty


def test_verdict_recommends_the_best_trial(run: mtlsearch.Run) -> None:
    verdict = run.verdict
    assert verdict is not None
    assert run.trial().number == run.trial("best").number == verdict.recommended
    assert str(verdict).startswith("Best plan: ")
    expected = run.trials[verdict.winner].expected_delta_m
    assert expected == verdict.expected.mean


def test_plan_is_drawn_as_svg(run: mtlsearch.Run) -> None:
    plan = run.trial(0).plan
    root = ElementTree.fromstring(plan._repr_svg_())
    assert root.tag.endswith("svg")
    assert str(plan) == "independent"
    assert plan.copies == (3,) * len(plan.copies)
    assert plan.groups(0) == (("objects",), ("scene",), ("shapes",))
    assert plan == mtlsearch.Plan(plan.sharing)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("plot_front", {}),
        ("plot_curves", {}),
        ("plot_curves", {"trials": [0], "all_metrics": True}),
        ("plot_plans", {"trials": ["best", 0]}),
        ("plot_plans", {"trials": 0}),
    ],
)
def test_figures_are_shown_and_written(
    run: mtlsearch.Run, tmp_path: Path, name: str, arguments: dict[str, Any]
) -> None:
    figure = getattr(run, name)(**arguments)
    assert figure._repr_png_().startswith(b"\x89PNG")
    figure.savefig(tmp_path / "figure.svg")
    assert ElementTree.parse(tmp_path / "figure.svg").getroot().tag.endswith("svg")


def test_curves_show_primary_metrics(run: mtlsearch.Run) -> None:
    shown = {axes.get_title(loc="left") for axes in run.plot_curves().axes if axes.axison}
    assert any("scene.accuracy" in title for title in shown)
    assert not any("scene.f1" in title for title in shown)


def test_notebook_shows_verdict_and_leaderboard(run: mtlsearch.Run) -> None:
    text = run._repr_markdown_()
    assert text.startswith("Best plan: ")
    assert "|   trial |" in text
    assert repr(run) == f"Run({str(run.path)!r})"


@pytest.mark.parametrize("trial", [99, "bets"])
def test_unknown_trial_is_refused_with_the_numbers(run: mtlsearch.Run, trial: Any) -> None:
    for method in (run.trial, run.network, lambda name: run.predict([], name)):
        with pytest.raises(RunError, match=f"trial '?{trial}'? does not exist") as raised:
            method(trial)
        assert "best, 0" in str(raised.value)
        assert "--" not in str(raised.value)


def test_incomplete_trial_has_no_network(run: mtlsearch.Run) -> None:
    with pytest.raises(RunError, match="trial 1 is interrupted, not complete"):
        run.network(1)


def test_unknown_column_is_refused(run: mtlsearch.Run) -> None:
    with pytest.raises(ConfigError, match="no column 'dm'") as raised:
        run.leaderboard(sort="dm")
    assert "`sort`" in str(raised.value)


def test_load_of_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        mtlsearch.load(tmp_path)


def test_load_reads_a_run_without_trials(run: mtlsearch.Run, tmp_path: Path) -> None:
    save_resolved(run.config, tmp_path / "run.yaml")
    (tmp_path / "study.journal").touch()
    empty = mtlsearch.load(tmp_path)
    assert empty.trials == {}
    assert empty.verdict is None
    assert isinstance(empty.leaderboard(), pd.DataFrame)
    for draw in (empty.plot_front, empty.plot_curves, empty.trial):
        with pytest.raises(RunError, match="no trial "):
            draw()
