"""A winner made sure of, and trained at length, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtlsearch.results import leaderboard
from mtlsearch.runs._retrain import write_retrained
from mtlsearch.study import RunDirectory
from tests.cli.conftest import Line, records_of
from tests.cli.inside import call

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("line")]


def test_a_finished_search_is_confirmed_by_the_same_command(line: Line, tmp_path: Path) -> None:
    run = line.copy(tmp_path)
    wanted = ("--set", "search.confirm.top=1", "--set", "search.confirm.seeds=2")
    said = call("search", line.file, "--out", run, *wanted)
    assert said.code == 0, said.err
    assert "confirming 3 of 3" in said.err
    assert "over 2 seeds" in said.err
    again = call("search", line.file, "--out", run, *wanted)
    assert "confirming" not in again.err
    rows = json.loads(call("leaderboard", run, "--format", "json").out)
    assert sum(row["seeds"] == 2 for row in rows) == 3
    assert "±" in call("leaderboard", run).out
    assert not list((run / "seeds").rglob("*.safetensors"))


def test_weights_of_confirmed_trials_stay_without_confirmation(line: Line, tmp_path: Path) -> None:
    """However few are kept, the search goes on and nobody confirms any more."""
    run = line.copy(tmp_path)
    for record in records_of(run):
        write_retrained(RunDirectory(run).at_seed(2), record)
    said = call("search", line.file, "--out", run, "--set", "search.keep_weights=1")
    assert said.code == 0, said.err
    assert all(RunDirectory(run).weights(number).is_file() for number in range(4))


def test_a_trial_trained_at_length_is_exported(line: Line, tmp_path: Path) -> None:
    run = line.copy(tmp_path)
    length = ("--epochs", "2", "--seed", "7")
    lonely = call("train", run, "--trial", "1", *length)
    assert lonely.code == 0, lonely.err
    assert "scene.accuracy" in lonely.out
    assert "Δm" not in lonely.out
    assert f"mtlsearch train {run} --trial 0 {' '.join(length)}" in lonely.err
    first = call("train", run, "--trial", "0", *length)
    assert "Δm of trial1-epochs2-seed7  " in first.out
    compared = call("train", run, "--trial", "1", *length, "--name", "twice")
    assert "\nΔm  " in compared.out
    assert "Δm of" not in compared.out
    assert compared.out.startswith(lonely.out)
    for number, name in (("1", ()), ("1", ("--name", "twice"))):
        told = call("train", run, "--trial", number, *length, *name)
        assert told.code == 0, told.err
        assert told.out == compared.out
        assert "trained before as" in told.err
    told = call("train", run, "--trial", "0", *length)
    assert told.out.startswith(first.out)
    assert "Δm of twice  " in told.out
    taken = call("train", run, "--trial", "0", *length, "--name", "twice")
    assert taken.code != 0
    assert "another network called twice already: trial 1, epochs 2, seed 7" in taken.err
    best = int(leaderboard(records_of(run))["trial"].iloc[0])
    assert (
        f"training trial {best}: "
        in call("train", run, "--trial", "best", *length, "--name", "best").err
    )
    for trial, says in (("99", "allowed: best, 0"), ("last", "allowed: best, a trial's number")):
        assert says in call("train", run, "--trial", trial, *length).err
    said = call("export", run, "--trained", "twice", "--out", tmp_path / "bundle")
    assert said.code == 0, said.err
    assert (tmp_path / "bundle").is_dir()
    assert "twice" in call("export", run, "--trained", "no", "--out", tmp_path / "other").err


@pytest.mark.parametrize("trial", ["1", "best"])
def test_an_export_is_of_a_trial_or_of_one_trained_at_length(
    line: Line, tmp_path: Path, trial: str
) -> None:
    out = tmp_path / "bundle"
    said = call("export", line.run, "--trained", "any", "--trial", trial, "--out", out)
    assert said.code == 2
    assert f"--trial {trial} --trained any" in said.err
    assert "give one of the two" in said.err
    assert not out.exists()
