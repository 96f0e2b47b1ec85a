"""A run directory holds one search, and its trials are found again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from mtlsearch.config import LoadedRun, RunConfig, save_resolved
from mtlsearch.errors import PluginError, RunError
from mtlsearch.registry import build_registry
from mtlsearch.results import TrialRecord
from mtlsearch.runs import run_search
from mtlsearch.search import NullProgress
from mtlsearch.search.space._proposal import propose_baseline
from mtlsearch.study import RunDirectory, open_run_storage, open_store, read_records
from tests.search.synthetic import Formula, space_for

BASE: dict[str, Any] = {
    "plugins": ["here"],
    "data": {"root": "/", "sources": {"kind": "nothing"}, "image_size": 32},
    "backbone": {"name": "test_resnet"},
    "tasks": {"a": {"kind": "nothing"}},
    "train": {"epochs": 3},
    "search": {"space": "nothing", "trials": 4},
}


def config(**changes: Any) -> RunConfig:
    tree = {key: dict(value) if isinstance(value, dict) else value for key, value in BASE.items()}
    for dotted, value in changes.items():
        part, _, key = dotted.partition("__")
        if key:
            tree[part][key] = value
        else:
            tree[part] = value
    return RunConfig.model_validate(tree)


def start(out: Path, config: RunConfig) -> None:
    """Begin a search without any plugin: it gets no further than what is checked before."""
    device = torch.device("cpu")
    registry = build_registry([], entry_points=False)
    run_search(LoadedRun(config), registry, out, device=device, progress=NullProgress())


def begun(out: Path, config: RunConfig) -> RunDirectory:
    run = RunDirectory(out)
    run.path.mkdir(parents=True)
    save_resolved(config, run.config)
    return run


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 5}, "seed"),
        ({"train__epochs": 4}, "train.epochs"),
        ({"search__space": "tree"}, "search.space.kind"),
        ({"search__storage": "sqlite:///x.db"}, "search.storage"),
        ({"tasks__b": {"kind": "nothing"}}, "tasks.b"),
        ({"data__limit": 3, "train__epochs": 9}, "data.max_images, train.epochs"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    run = begun(tmp_path / "run", config())
    before = run.config.read_text()
    with pytest.raises(RunError, match=f"other settings: {named}\n") as error:
        start(run.path, config(**changes))
    assert str(run.path) in str(error.value)
    assert "--out" in str(error.value)
    assert run.config.read_text() == before


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"search__trials": 9},
        {"search__keep": 2},
        {"data__workers": 3},
        {"plugins": ["there"]},
        {"plugins": ["here", "there"]},
    ],
    ids=str,
)
def test_what_changes_no_measurement_may_change(tmp_path: Path, changes: dict[str, Any]) -> None:
    run = begun(tmp_path / "run", config())
    with pytest.raises(PluginError, match="'nothing'"):  # further than the settings
        start(run.path, config(**changes))


@pytest.mark.parametrize("password", ["secret", "changed"])
def test_a_run_goes_on_whose_storage_has_a_password(tmp_path: Path, password: str) -> None:
    url = "nosuch://me:{}@here/study"
    run = begun(tmp_path / "run", config(search__storage=url.format("secret")))
    assert "secret" not in run.config.read_text()
    with pytest.raises(RunError, match="cannot be opened"):  # further than the settings
        start(run.path, config(search__storage=url.format(password)))
    with pytest.raises(RunError, match=r"other settings: search\.storage"):
        start(run.path, config(search__storage="nosuch://me:secret@there/study"))


@pytest.mark.parametrize("storage", [None, "sqlite:///study.db", "sqlite:///{}/shared.db"])
def test_what_fails_before_the_first_trial_binds_nobody(
    tmp_path: Path, storage: str | None
) -> None:
    chosen = storage and storage.format(tmp_path)
    for seed in range(2):
        with pytest.raises(PluginError, match="'nothing'"):
            start(tmp_path / "run", config(seed=seed, search__storage=chosen))
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/x.db", "sqlite:///{}/broken.db"])
def test_a_bad_storage_is_told_before_anything_else(tmp_path: Path, url: str) -> None:
    (tmp_path / "broken.db").write_text("no database, whatever its name says" * 9)
    with pytest.raises(RunError, match="storage cannot be opened"):
        start(tmp_path / "run", config(search__storage=url.format(tmp_path)))
    assert not (tmp_path / "run").exists()


def begin(run: RunDirectory, config: RunConfig) -> TrialRecord:
    proposal = propose_baseline(space_for(Formula()), "hard")
    record = TrialRecord(0, "running", "hard", proposal.candidate, 1, 2)
    return open_store(run, config, open_run_storage(run, config)).start(
        record, proposal.params, proposal.distributions
    )


@pytest.mark.parametrize("storage", [None, "sqlite:///{}/shared.db"])
def test_trials_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str | None
) -> None:
    """From any working directory, in a folder that was moved, beside a run of that name."""
    chosen = config(search__storage=storage and storage.format(tmp_path))
    one, other = begun(tmp_path / "one" / "run", chosen), begun(tmp_path / "two" / "run", chosen)
    begin(one, chosen)
    monkeypatch.chdir(tmp_path / "two")
    (record,) = read_records(one.path, chosen)
    assert record.baseline == "hard"
    assert record.state == "interrupted"  # nobody runs it
    with one.locked():
        assert [at.state for at in read_records(one.path, chosen)] == ["running"]
    assert read_records(one.path, chosen) == [record]
    assert read_records(other.path, chosen) == []
    assert begin(other, chosen).number == 0
    moved = shutil.move(one.path, tmp_path / "moved")
    assert read_records(moved, chosen) == [record]


@pytest.mark.parametrize("storage", [None, "sqlite:///study.db"])
def test_reading_writes_nothing(tmp_path: Path, storage: str | None) -> None:
    chosen = config(search__storage=storage)
    run = begun(tmp_path / "run", chosen)
    assert read_records(run.path, chosen) == []
    assert [path.name for path in run.path.iterdir()] == ["run.yaml"]


STORAGES = [None, "sqlite:///study.db", "sqlite:///{}/shared.db"]


@pytest.mark.parametrize("storage", STORAGES)
def test_trials_without_their_run_file_are_not_gone_on_with(
    tmp_path: Path, storage: str | None
) -> None:
    chosen = config(search__storage=storage and storage.format(tmp_path))
    run = begun(tmp_path / "run", chosen)
    begin(run, chosen)
    run.config.unlink()
    with pytest.raises(RunError, match="file that says with which settings is gone") as error:
        start(run.path, chosen)
    assert error.value.where == str(run.config)
    assert "--out" in str(error.value)
    assert not run.config.exists()


def test_folders_of_trials_without_a_run_file_are_not_written_over(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.trial(0).mkdir(parents=True)
    with pytest.raises(RunError, match="file that says with which settings is gone"):
        start(run.path, config())


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("known", [0, 1])
def test_folders_of_trials_that_the_study_lost_are_not_written_over(
    tmp_path: Path, known: int, storage: str | None
) -> None:
    chosen = config(search__storage=storage and storage.format(tmp_path))
    run = begun(tmp_path / "run", chosen)
    for number in range(3):
        run.trial(number).mkdir(parents=True)
    for _ in range(known):
        begin(run, chosen)
    with pytest.raises(RunError, match=r"folders of trials that .* does not know") as error:
        start(run.path, chosen)
    assert error.value.what.endswith(", ".join(["0000", "0001", "0002"][known:]))
    assert error.value.where == str(run.path / "trials")
    assert "--out" in str(error.value)


def test_a_refusal_leaves_a_torn_journal_as_it_is(tmp_path: Path) -> None:
    run = begun(tmp_path / "run", config())
    begin(run, config())
    run.trial(0).mkdir(parents=True)
    content = run.journal.read_bytes()
    torn = content[: content.rindex(b"\n", 0, -1) - 5]
    run.journal.write_bytes(torn)
    with pytest.raises(RunError, match=r"study\.journal does not know: 0000"):
        start(run.path, config())
    assert run.journal.read_bytes() == torn


def test_the_trial_that_was_running_binds_nobody(tmp_path: Path) -> None:
    """With its folder, and with a torn line behind it: what a kill leaves."""
    run = begun(tmp_path / "run", config())
    begin(run, config())
    run.trial(0).mkdir(parents=True)
    with run.journal.open("ab") as file:
        file.write(b'{"op_code": 8, "wor')
    with pytest.raises(PluginError, match="'nothing'"):  # further than the settings
        start(run.path, config())


@pytest.mark.parametrize("storage", STORAGES)
def test_a_study_that_was_begun_without_a_trial_binds_nobody(
    tmp_path: Path, storage: str | None
) -> None:
    """A kill may come between the study and the run file."""
    chosen = config(search__storage=storage and storage.format(tmp_path))
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    open_store(run, chosen, open_run_storage(run, chosen))
    with pytest.raises(PluginError, match="'nothing'"):  # further than the settings
        start(run.path, chosen)


@pytest.mark.parametrize("name", ["1.jpg", "labels.csv", "images/", "notes.txt/"])
def test_a_folder_of_something_else_is_not_littered(tmp_path: Path, name: str) -> None:
    entry = tmp_path / "mine" / name
    entry.mkdir(parents=True) if name.endswith("/") else entry.parent.mkdir()
    entry.is_dir() or entry.touch()
    with pytest.raises(RunError, match="no search was run in this folder") as error:
        start(tmp_path / "mine", config())
    assert entry.name in error.value.what
    assert error.value.where == str(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == [entry]


@pytest.mark.parametrize("name", [".gitignore", "base.yaml", "search.log", "affinity/", ".lock"])
def test_what_people_keep_beside_a_run_is_no_obstacle(tmp_path: Path, name: str) -> None:
    entry = tmp_path / "mine" / name
    entry.mkdir(parents=True) if name.endswith("/") else entry.parent.mkdir()
    entry.is_dir() or entry.touch()
    with pytest.raises(PluginError, match="'nothing'"):  # further than the folder
        start(tmp_path / "mine", config())


def test_no_run_no_records(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run here"):
        read_records(tmp_path, config())
