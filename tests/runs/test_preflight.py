"""``check``, ``search`` and ``train-longer`` run one list of preflight checks."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtlsearch.config import load_run, save_resolved
from mtlsearch.data import DATA_WARNINGS, CheckReport, DataWarning
from mtlsearch.data.checks import Problem, _warnings
from mtlsearch.errors import ConfigError, DataError, MtlsearchError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.registry import build_registry
from mtlsearch.results import TrialRecord
from mtlsearch.runs import PREFLIGHT_CHECKS, PreflightCheck, PreflightContext, Stage, _preflight
from mtlsearch.runs._preflight import run_checks
from mtlsearch.study import RunDirectory, open_run_storage, open_store
from tests.cli.conftest import RUN_FILE
from tests.cli.program import call

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
COMMANDS = ("check", "search", "train-longer")


def failing(message: str, stage: Stage) -> PreflightCheck:
    def fail(context: PreflightContext) -> None:
        raise ConfigError(message)

    return PreflightCheck(message, stage, require=fail)


def append_checks(monkeypatch: pytest.MonkeyPatch, *checks: PreflightCheck) -> None:
    monkeypatch.setattr(_preflight, "PREFLIGHT_CHECKS", (*PREFLIGHT_CHECKS, *checks))


def arguments_of(command: str, folder: Path, run_file: str = RUN_FILE) -> list[str | Path]:
    """Return the arguments of a command; a long training gets a run directory with one trial."""
    file, run = folder / "run.yaml", folder / "run"
    file.write_text(run_file)
    if command == "check":
        return ["check", file]
    if command == "search":
        return ["search", file, "--out", run]
    add_complete_trial(file, RunDirectory(run))
    return ["train-longer", run, "--trial", "0", "--epochs", "1"]


def add_complete_trial(file: Path, run: RunDirectory) -> None:
    config = load_run(file).config
    run.path.mkdir()
    save_resolved(config, run.config)
    store = open_store(run, config, open_run_storage(run, config))
    candidate = Candidate(SharingPlan.hard(["scene", "shapes"], 2))
    record = store.start(TrialRecord(0, "running", "hard", candidate, 1, 1))
    store.finish(replace(record, state="complete"), None)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("command", COMMANDS)
def test_appended_check_runs_in_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, stage: Stage
) -> None:
    append_checks(monkeypatch, failing("appended check failed", stage))
    result = call(*arguments_of(command, tmp_path))
    assert result.returncode == 2
    assert "appended check failed" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_appended_warning_is_shown_in_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    warning = PreflightCheck("warning", Stage.IMAGES, warn=lambda context: ["appended warning"])
    append_checks(monkeypatch, warning, failing("stops before training", Stage.IMAGES))
    assert "appended warning" in call(*arguments_of(command, tmp_path)).stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_check_reports_all_errors_and_others_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    append_checks(
        monkeypatch, failing("first failure", Stage.LABELS), failing("second failure", Stage.IMAGES)
    )
    result = call(*arguments_of(command, tmp_path))
    assert "first failure" in result.stderr
    assert ("second failure" in result.stderr) == (command == "check")


def test_failed_check_leaves_no_run_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_checks(monkeypatch, failing("appended check failed", Stage.IMAGES))
    call(*arguments_of("search", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]


@pytest.mark.parametrize("command", COMMANDS)
def test_warnings_have_one_form_in_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    append_checks(monkeypatch, failing("stops before training", Stage.IMAGES))
    duplicates = [DataWarning("duplicates", lambda report, labels, label_of: ["data warning"])]
    monkeypatch.setattr(_warnings, "DATA_WARNINGS", duplicates)
    run_file = RUN_FILE.replace("batch_size: 8", "batch_size: 99")
    lines = call(*arguments_of(command, tmp_path, run_file)).stderr.splitlines()
    assert [line for line in lines if line.startswith("warning: ")] == [
        "warning: `train.batch_size` is 99, more than the 16 training images: every epoch has a "
        "single step",
        "warning: data warning",
    ]


@pytest.mark.parametrize(("batch_size", "is_reported"), [(16, False), (17, True)])
def test_batch_larger_than_train_is_reported(
    tmp_path: Path, batch_size: int, is_reported: bool
) -> None:
    run_file = RUN_FILE.replace("batch_size: 8", f"batch_size: {batch_size}")
    stderr = call(*arguments_of("check", tmp_path, run_file)).stderr
    assert ("warning: `train.batch_size`" in stderr) == is_reported


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: classification", "kind: classification, class_weights: [1, 2]", "6 class weights"),
        (
            "{name: test_resnet}",
            "{name: test_resnet, granularity: 50}",
            "`granularity` is 50, the backbone has",
        ),
        ("{epochs: 1,", "{epochs: 1, freeze: 99,", "`train.freeze` is 99, but the backbone"),
    ],
)
def test_settings_that_only_networks_show_are_refused(
    tmp_path: Path, command: str, old: str, new: str, message: str
) -> None:
    assert old in RUN_FILE
    result = call(*arguments_of(command, tmp_path, RUN_FILE.replace(old, new)))
    assert result.returncode != 0
    assert message in result.stderr
    assert ("tasks.scene.class_weights" if "weights" in new else "backbone") in result.stderr
    assert not (tmp_path / "run" / "trials").exists()


def test_page_has_a_row_per_warning() -> None:
    checks = [check.name for check in PREFLIGHT_CHECKS if check.warn and check.name != "data"]
    table = PAGE.read_text(encoding="utf-8").partition("These are warnings")[2].partition("##")[0]
    rows = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)
    assert set(rows[2:]) == {*checks, *(warning.name for warning in DATA_WARNINGS)}


def test_images_check_reports_each_kind_or_one_summary(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_FILE)
    resolved = build_registry().resolve(load_run(file))
    problems = tuple(
        Problem("train", index, f"image {index}", "empty" if index else "unreadable")
        for index in range(12)
    )
    report = CheckReport(problems, {}, {"train": 12, "val": 0})
    context = PreflightContext(resolved, torch.device("cpu"), report=report)
    with pytest.raises(DataError, match=r"12 problem\(s\)(.|\n)*and 8 more"):
        run_checks(Stage.IMAGES, context, on_warning=print)
    errors: list[MtlsearchError] = []
    context.lists_all_kinds = True
    run_checks(Stage.IMAGES, context, on_warning=print, on_error=errors.append)
    assert [error.what.splitlines()[0] for error in errors] == [
        "image 0: unreadable",
        "11 problems of one kind:",
    ]
