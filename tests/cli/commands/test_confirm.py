"""Verdict, results of earlier confirmations and ``train-longer`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtlsearch.runs._retrain import write_retrained
from mtlsearch.study import RunDirectory
from tests.cli.conftest import SmallSearch, records_of, verdict_in
from tests.cli.program import call

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small_search")]


def test_search_with_confirm_is_refused_with_the_new_way(
    small_search: SmallSearch, tmp_path: Path
) -> None:
    result = call(
        "search", small_search.file, "--out", tmp_path / "run", "--set", "search.confirm.top=1"
    )
    assert result.returncode == 2
    assert "max_seeds" in result.stderr


def test_leaderboard_starts_with_the_verdict(small_search: SmallSearch, tmp_path: Path) -> None:
    run = small_search.copy(tmp_path)
    shown = call("leaderboard", run)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("Best plan: trial ")
    verdict = verdict_in(run)
    sentences = "\n".join(verdict.sentences)
    assert sentences in shown.stdout
    assert sentences in call("leaderboard", run, "--format", "markdown").stdout
    assert sentences in call("search", small_search.file, "--out", run).stderr  # nothing is left
    (best,) = (line for line in shown.stdout.splitlines() if "★" in line and "complete" in line)
    assert f" {verdict.winner}  complete" in best
    exported = call("export", run, "--out", tmp_path / "bundle")
    assert exported.returncode == 0, exported.stderr
    assert "Best plan: trial " in exported.stderr


def test_weights_of_confirmed_trials_are_kept(small_search: SmallSearch, tmp_path: Path) -> None:
    """They are kept if a later search has fewer ``keep_weights`` and no ``confirm``."""
    run = small_search.copy(tmp_path)
    for record in records_of(run):
        write_retrained(RunDirectory(run).at_seed(2), record)
    result = call("search", small_search.file, "--out", run, "--set", "search.keep_weights=1")
    assert result.returncode == 0, result.stderr
    assert all(RunDirectory(run).weights(number).is_file() for number in range(4))


def test_long_training_is_exported(small_search: SmallSearch, tmp_path: Path) -> None:
    run = small_search.copy(tmp_path)
    options = ("--epochs", "2", "--seed", "7")
    single = call("train-longer", run, "--trial", "1", *options)
    assert single.returncode == 0, single.stderr
    assert "scene.accuracy" in single.stdout
    assert "Δm" not in single.stdout
    assert f"mtlsearch train-longer {run} --trial 0 {' '.join(options)}" in single.stderr
    independent = call("train-longer", run, "--trial", "0", *options)
    assert "Δm of trial1-epochs2-seed7  " in independent.stdout
    compared = call("train-longer", run, "--trial", "1", *options, "--name", "twice")
    assert "\nΔm  " in compared.stdout
    assert "Δm of" not in compared.stdout
    assert compared.stdout.startswith(single.stdout)
    for name in ((), ("--name", "twice")):
        repeated = call("train-longer", run, "--trial", "1", *options, *name)
        assert repeated.returncode == 0, repeated.stderr
        assert repeated.stdout == compared.stdout
        assert "trained before as" in repeated.stderr
    repeated = call("train-longer", run, "--trial", "0", *options)
    assert repeated.stdout.startswith(independent.stdout)
    assert "Δm of twice  " in repeated.stdout
    taken = call("train-longer", run, "--trial", "0", *options, "--name", "twice")
    assert taken.returncode != 0
    assert "another long training has the name twice: trial 1, epochs 2, seed 7" in taken.stderr
    best = verdict_in(run).recommended
    trained = call("train-longer", run, "--trial", "best", *options, "--name", "best")
    assert f"training trial {best}: " in trained.stderr
    for trial, message in (("99", "allowed: best, 0"), ("last", "allowed: best, a trial number")):
        assert message in call("train-longer", run, "--trial", trial, *options).stderr
    result = call("export", run, "--retrained", "twice", "--out", tmp_path / "bundle")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "bundle").is_dir()
    assert "twice" in call("export", run, "--retrained", "no", "--out", tmp_path / "other").stderr
    evaluate = ("evaluate", run, "--split", "val", "--resamples", "0", "--out", tmp_path / "report")
    evaluated = call(*evaluate, "--retrained", "twice")
    assert evaluated.returncode == 0, evaluated.stderr
    assert evaluated.stdout.startswith(f"trial 1 of {run / 'long_training' / 'twice'}")
    document = json.loads((tmp_path / "report" / "evaluation.json").read_text("utf-8"))
    for task in document["tasks"].values():
        network = task["sizes"]["network"]["metrics"]
        for metric, value in task["validation"].items():
            assert network[metric]["value"] == pytest.approx(value, abs=1e-5)
    assert "twice" in call(*evaluate, "--retrained", "no").stderr
    both = call(*evaluate, "--retrained", "twice", "--trial", "1")
    assert both.returncode == 2
    assert "use only one of the two options" in both.stderr


@pytest.mark.parametrize("trial", ["1", "best"])
def test_export_of_trial_and_retrained_is_an_error(
    small_search: SmallSearch, tmp_path: Path, trial: str
) -> None:
    out = tmp_path / "bundle"
    result = call("export", small_search.run, "--retrained", "any", "--trial", trial, "--out", out)
    assert result.returncode == 2
    assert f"--trial {trial} --retrained any" in result.stderr
    assert "use only one of the two options" in result.stderr
    assert not out.exists()
