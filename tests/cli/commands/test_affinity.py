"""``affinity``: two short trainings, matrices and suggestions, and a search that begins there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtlsearch.plan import SharingPlan
from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.inside import Said, call
from tests.cli.program import run as run_program

pytestmark = pytest.mark.slow

STOPPING = """
import os, signal
from mtlsearch.cli._progress import ProgressView

class Stopping(ProgressView):
    def stage(self, message, done, total):
        if message == "training independent":
            os.kill(os.getpid(), signal.SIGINT)

from mtlsearch.cli import _affinity
_affinity.ProgressView = Stopping
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("affinity") / "run.yaml"
    path.write_text(RUN_FILE)
    return path


@pytest.fixture(scope="module")
def said(file: Path) -> Said:
    found = call("affinity", file, "--out", file.parent / "run" / "affinity", "--epochs", "1")
    assert found.code == 0, found.err
    return found


def test_it_shows_every_measure_and_suggests(said: Said, file: Path) -> None:
    lines = said.out.splitlines()
    at = lines.index("gradients agree: cosine, -1 to 1")
    assert lines[at + 1].split() == ["unit", "modules", "scene+shapes"]
    assert [line.split()[0] for line in lines[at + 2 : at + 7]] == list("01234")
    assert "single-task representations alike: linear CKA, 0 to 1" in lines
    assert any(line.startswith("step for  loss of scene") for line in lines)
    assert "estimates from 1 epoch; a search measures" in lines
    assert lines[-1].startswith("train together: ")
    folder = file.parent / "run" / "affinity"
    assert sorted(at.name for at in folder.iterdir()) == [
        "affinity.csv",
        "affinity.json",
        "affinity.png",
    ]
    assert f"--set search.warm_start={folder}" in said.err
    assert [line for line in said.err.splitlines() if line.endswith(" ...")] == [
        "reading images ...",
        "training hard ...",
        "training independent ...",
        "comparing representations ...",
    ]


def test_the_same_seed_gives_the_same_numbers(said: Said, file: Path, tmp_path: Path) -> None:
    assert call("affinity", file, "--out", tmp_path, "--epochs", "1").code == 0
    first, again = (
        (folder / "affinity.json").read_text()
        for folder in (file.parent / "run" / "affinity", tmp_path)
    )
    assert first == again


def test_a_search_begins_with_what_it_promises(said: Said, file: Path) -> None:
    run = file.parent / "run"
    searched = call(
        "search", file, "--out", run, "--trials", "3", "--set", "search.warm_start=affinity"
    )
    assert searched.code == 0, searched.err
    value = json.loads((run / "affinity" / "affinity.json").read_text())
    plans = value["recommendation"]["plans"]
    medium = SharingPlan.from_json(plans["medium"])
    assert records_of(run)[2].candidate.plan == medium


def test_ctrl_c_leaves_nothing_half_done(file: Path, tmp_path: Path) -> None:
    stopped = run_program("affinity", file, "--out", tmp_path / "out", prelude=STOPPING)
    assert stopped.returncode == 130
    assert "Traceback" not in stopped.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_measured_is_told(file: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.yaml"
    one.write_text(RUN_FILE.replace("  shapes: {kind: segmentation}\n", ""))
    found = call("affinity", one, "--out", tmp_path / "out")
    assert found.code == 2
    assert "affinity is between tasks" in found.err
    assert "one.yaml:6 (tasks)" in found.err
    (tmp_path / "taken").write_text("")
    found = call("affinity", file, "--out", tmp_path / "taken")
    assert found.code == 1
    assert "no folder that can be written to" in found.err
