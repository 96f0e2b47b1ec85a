"""``affinity``: two short trainings, similarity matrices, plans and a warm start."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from mtlsearch.cli.commands import _affinity
from mtlsearch.plan import SharingPlan
from tests.cli.conftest import RUN_FILE, records_of
from tests.cli.program import call

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("affinity")]


class InterruptingView(_affinity.ProgressView):
    """Interrupts the program when the second training starts."""

    def stage(self, message: str, done: int, total: int) -> None:
        if message == "training independent":
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("affinity") / "run.yaml"
    path.write_text(RUN_FILE)
    return path


@pytest.fixture(scope="module")
def result(file: Path) -> CompletedProcess[str]:
    completed = call("affinity", file, "--out", file.parent / "run" / "affinity", "--epochs", "1")
    assert completed.returncode == 0, completed.stderr
    return completed


def test_affinity_prints_measures_and_plans(result: CompletedProcess[str], file: Path) -> None:
    lines = result.stdout.splitlines()
    start = lines.index("gradient similarity: cosine, -1 to 1")
    assert lines[start + 1].split() == ["unit", "modules", "scene", "+", "shapes"]
    assert [line.split()[0] for line in lines[start + 2 : start + 7]] == list("01234")
    assert "similarity of single-task representations: linear CKA, 0 to 1" in lines
    assert any(line.startswith("step for  loss of scene") for line in lines)
    assert "estimates from 1 epoch, not yet measured by a search" in lines
    assert lines[-1].startswith("train together: ")
    folder = file.parent / "run" / "affinity"
    assert sorted(path.name for path in folder.glob("[!.]*")) == [
        "affinity.csv",
        "affinity.json",
        "affinity.png",
    ]
    assert f"--set search.warm_start={folder}" in result.stderr
    assert [line for line in result.stderr.splitlines() if line.endswith(" ...")] == [
        "reading images ...",
        "training hard ...",
        "training independent ...",
        "comparing representations ...",
    ]


def test_affinity_of_the_same_seed_is_the_same(
    result: CompletedProcess[str], file: Path, tmp_path: Path
) -> None:
    assert call("affinity", file, "--out", tmp_path, "--epochs", "1").returncode == 0
    folders = file.parent / "run" / "affinity", tmp_path
    first, second = ((folder / "affinity.json").read_text() for folder in folders)
    assert first == second


def test_warm_start_begins_with_the_medium_plan(result: CompletedProcess[str], file: Path) -> None:
    run_folder = file.parent / "run"
    warm_start = ["--set", "search.warm_start=affinity"]
    search = call("search", file, "--out", run_folder, "--trials", "3", *warm_start)
    assert search.returncode == 0, search.stderr
    value = json.loads((run_folder / "affinity" / "affinity.json").read_text())
    medium = SharingPlan.from_json(value["recommendation"]["plans"]["medium"])
    assert records_of(run_folder)[2].candidate.plan == medium


def test_interrupted_affinity_writes_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_affinity, "ProgressView", InterruptingView)
    interrupted = call("affinity", file, "--out", tmp_path / "out")
    assert interrupted.returncode == 130
    assert "Traceback" not in interrupted.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_affinity_of_one_task_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(RUN_FILE.replace("  shapes: {kind: segmentation}\n", ""))
    result = call("affinity", file, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "task affinity requires at least two tasks" in result.stderr
    assert "one.yaml:6 (tasks)" in result.stderr


def test_affinity_needs_a_writable_folder(file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = call("affinity", file, "--out", tmp_path / "file")
    assert result.returncode == 1
    assert "the path of `--out` cannot be written: it exists and is not a folder" in result.stderr
