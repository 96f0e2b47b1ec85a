"""A run directory holds one search, which resumes with its trials."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from mtlsearch.config import LoadedRun, RunConfig, save_resolved
from mtlsearch.errors import PluginError, RunError
from mtlsearch.registry import ResolvedRun
from mtlsearch.registry._resolved_run import ConfiguredClass
from mtlsearch.results import TrialRecord
from mtlsearch.runs import run_search
from mtlsearch.runs._estimate_plans import _remaining_epochs
from mtlsearch.runs._run_estimate import _short_studies
from mtlsearch.runs._run_search import _estimate_once, move_checkpoints
from mtlsearch.search import NullProgress, search
from mtlsearch.search.estimate import Estimate, ShortStudy, train_with_own_schedule
from mtlsearch.search.space import propose_baseline
from mtlsearch.study import (
    RunDirectory,
    TrialStore,
    open_run_storage,
    open_store,
    read_records,
    with_stored_retention,
)
from tests.search.synthetic import Formula, space_for
from tests.search.test_estimate import evaluator_of, space_of

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


class Failing:
    """A plugin that cannot be constructed."""

    def __init__(self, *_args: object, **_options: object) -> None:
        raise PluginError("'nothing' cannot be constructed")


class Notes(NullProgress):
    """Progress that keeps the remarks."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def start(out: Path, config: RunConfig, progress: NullProgress | None = None) -> None:
    """Start a search whose plugins fail when they are constructed, after the folder's checks."""
    device = torch.device("cpu")
    fails: ConfiguredClass[Any] = ConfiguredClass(Failing, None)
    tasks = dict.fromkeys(config.tasks, fails)
    resolved = ResolvedRun(LoadedRun(config), (fails,), tasks, fails, {"nothing": fails})
    run_search(resolved, out, device=device, progress=progress or NullProgress())


def started(out: Path, config: RunConfig) -> RunDirectory:
    run = RunDirectory(out)
    run.path.mkdir(parents=True)
    save_resolved(config, run.config)
    return run


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"seed": 5}, "seed"),
        ({"train__epochs": 4}, "train.epochs"),
        ({"search__space": "tree"}, "search.space.kind"),
        ({"search__storage": "sqlite:///x.db"}, "search.storage"),
        ({"tasks__b": {"kind": "nothing"}}, "tasks.b"),
        ({"data__max_images": 3, "train__epochs": 9}, "data.max_images, train.epochs"),
    ],
)
def test_run_search_with_other_settings_raises(
    tmp_path: Path, changes: dict[str, Any], keys: str
) -> None:
    run = started(tmp_path / "run", config())
    before = run.config.read_text()
    with pytest.raises(RunError, match=f"other settings: {keys}\n") as error:
        start(run.path, config(**changes))
    assert str(run.path) in str(error.value)
    assert "--out" in str(error.value)
    assert run.config.read_text() == before


def test_other_settings_are_shown_with_both_values(tmp_path: Path) -> None:
    run = started(tmp_path / "run", config())
    url = "postgresql://me:secret@here/study"
    changes = {"train__epochs": 4, "tasks__b": {"kind": "nothing"}, "search__storage": url}
    with pytest.raises(RunError) as error:
        start(run.path, config(**changes))
    text = str(error.value)
    assert "`train.epochs` is 3 in this run and 4 now" in text
    assert '`tasks.b` is not set in this run and {"kind": "nothing"' in text
    assert "`search.storage` is null in this run and" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"search__trials": 9},
        {"search__keep_weights": 2},
        {"data__num_workers": 3},
        {"plugins": ["there"]},
        {"plugins": ["here", "there"]},
    ],
    ids=str,
)
def test_run_search_with_resumable_changes_resumes(tmp_path: Path, changes: dict[str, Any]) -> None:
    run = started(tmp_path / "run", config())
    with pytest.raises(PluginError, match="'nothing'"):  # Past the check of settings.
        start(run.path, config(**changes))


@pytest.mark.parametrize("password", ["secret", "changed"])
def test_run_search_with_storage_password_resumes(tmp_path: Path, password: str) -> None:
    url = "nosuch://me:{}@here/study"
    run = started(tmp_path / "run", config(search__storage=url.format("secret")))
    assert "secret" not in run.config.read_text()
    with pytest.raises(RunError, match="cannot be opened"):  # Past the check of settings.
        start(run.path, config(search__storage=url.format(password)))
    with pytest.raises(RunError, match=r"other settings: search\.storage"):
        start(run.path, config(search__storage="nosuch://me:secret@there/study"))


@pytest.mark.parametrize("storage", [None, "sqlite:///study.db", "sqlite:///{}/shared.db"])
def test_run_search_with_failed_check_leaves_no_files(tmp_path: Path, storage: str | None) -> None:
    chosen = storage and storage.format(tmp_path)
    for seed in range(2):
        with pytest.raises(PluginError, match="'nothing'"):
            start(tmp_path / "run", config(seed=seed, search__storage=chosen))
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/x.db", "sqlite:///{}/broken.db"])
def test_run_search_with_bad_storage_raises_first(tmp_path: Path, url: str) -> None:
    (tmp_path / "broken.db").write_text("not a database" * 20)
    with pytest.raises(RunError, match="storage cannot be opened"):
        start(tmp_path / "run", config(search__storage=url.format(tmp_path)))
    assert not (tmp_path / "run").exists()


def start_trial(run: RunDirectory, config: RunConfig) -> TrialRecord:
    proposal = propose_baseline(space_for(Formula()), "hard")
    record = TrialRecord(0, "running", "hard", proposal.candidate, 1, 2)
    return open_store(run, config, open_run_storage(run, config)).start(
        record, proposal.params, proposal.distributions
    )


@pytest.mark.parametrize("storage", [None, "sqlite:///{}/shared.db"])
def test_read_records_finds_trials_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str | None
) -> None:
    """From any working directory, after a move, and beside a run of the same name."""
    chosen = config(search__storage=storage and storage.format(tmp_path))
    first = started(tmp_path / "one" / "run", chosen)
    second = started(tmp_path / "two" / "run", chosen)
    start_trial(first, chosen)
    monkeypatch.chdir(tmp_path / "two")
    (record,) = read_records(first.path, chosen)
    assert record.baseline == "hard"
    assert record.state == "interrupted"  # No process runs it.
    store = open_store(first, chosen, open_run_storage(first, chosen))
    with store.joined(first.path):
        store.write(replace(record, state="running", reason=""))
        assert [record.state for record in read_records(first.path, chosen)] == ["running"]
    assert read_records(first.path, chosen) == [record]
    with pytest.raises(RunError, match="a run file but no search"):
        read_records(second.path, chosen)
    assert start_trial(second, chosen).number == 0
    moved = shutil.move(first.path, tmp_path / "moved")
    assert read_records(moved, chosen) == [record]


@pytest.mark.parametrize("storage", [None, "sqlite:///study.db"])
def test_read_records_writes_nothing(tmp_path: Path, storage: str | None) -> None:
    chosen = config(search__storage=storage)
    run = started(tmp_path / "run", chosen)
    with pytest.raises(RunError, match="a run file but no search"):
        read_records(run.path, chosen)
    assert [path.name for path in run.path.iterdir()] == ["run.yaml"]


STORAGES = [None, "sqlite:///study.db", "sqlite:///{}/shared.db"]


@pytest.mark.parametrize("storage", STORAGES)
def test_run_search_without_run_file_but_trials_raises(tmp_path: Path, storage: str | None) -> None:
    chosen = config(search__storage=storage and storage.format(tmp_path))
    run = started(tmp_path / "run", chosen)
    start_trial(run, chosen)
    run.config.unlink()
    with pytest.raises(RunError, match=r"run\.yaml is missing") as error:
        start(run.path, chosen)
    assert error.value.where == str(run.config)
    assert "--out" in str(error.value)
    assert not run.config.exists()


def test_run_search_without_run_file_but_folders_raises(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.trial(0).mkdir(parents=True)
    with pytest.raises(RunError, match=r"run\.yaml is missing"):
        start(run.path, config())


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("num_stored", [0, 1])
def test_run_search_with_folders_missing_in_study_raises(
    tmp_path: Path, num_stored: int, storage: str | None
) -> None:
    chosen = config(search__storage=storage and storage.format(tmp_path))
    run = started(tmp_path / "run", chosen)
    for number in range(3):
        run.trial(number).mkdir(parents=True)
    for _ in range(num_stored):
        start_trial(run, chosen)
    with pytest.raises(RunError, match=r"has no trial for these folders") as error:
        start(run.path, chosen)
    assert error.value.what.endswith(", ".join(["0000", "0001", "0002"][num_stored:]))
    assert error.value.where == str(run.path / "trials")
    assert "--out" in str(error.value)


def test_run_search_that_raises_keeps_partial_line(tmp_path: Path) -> None:
    run = started(tmp_path / "run", config())
    start_trial(run, config())
    run.trial(0).mkdir(parents=True)
    content = run.journal.read_bytes()
    torn = content[: content.rindex(b"\n", 0, -1) - 5]
    run.journal.write_bytes(torn)
    with pytest.raises(RunError, match=r"study\.journal has no trial .*: 0000"):
        start(run.path, config())
    assert run.journal.read_bytes() == torn


def test_run_search_after_kill_in_trial_resumes(tmp_path: Path) -> None:
    """A kill leaves the folder of the trial and a partial line in the journal."""
    run = started(tmp_path / "run", config())
    start_trial(run, config())
    run.trial(0).mkdir(parents=True)
    with run.journal.open("ab") as file:
        file.write(b'{"op_code": 8, "wor')
    with pytest.raises(PluginError, match="'nothing'"):  # Past the check of settings.
        start(run.path, config())


@pytest.mark.parametrize("storage", STORAGES)
def test_run_search_after_kill_before_first_trial_starts(
    tmp_path: Path, storage: str | None
) -> None:
    """A kill may happen after the study is created and before run.yaml is written."""
    chosen = config(search__storage=storage and storage.format(tmp_path))
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    open_store(run, chosen, open_run_storage(run, chosen))
    with pytest.raises(PluginError, match="'nothing'"):  # Past the check of settings.
        start(run.path, chosen)


@pytest.mark.parametrize("name", ["1.jpg", "labels.csv", "images/", "notes.txt/"])
def test_run_search_in_other_folder_raises(tmp_path: Path, name: str) -> None:
    entry = tmp_path / "mine" / name
    entry.mkdir(parents=True) if name.endswith("/") else entry.parent.mkdir()
    entry.is_dir() or entry.touch()
    with pytest.raises(RunError, match="folder is not a run directory") as error:
        start(tmp_path / "mine", config())
    assert entry.name in error.value.what
    assert error.value.where == str(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == [entry]


@pytest.mark.parametrize("name", [".gitignore", "base.yaml", "search.log", "affinity/", ".lock"])
def test_run_search_in_folder_with_allowed_extras_starts(tmp_path: Path, name: str) -> None:
    entry = tmp_path / "mine" / name
    entry.mkdir(parents=True) if name.endswith("/") else entry.parent.mkdir()
    entry.is_dir() or entry.touch()
    with pytest.raises(PluginError, match="'nothing'"):  # Past the check of the folder.
        start(tmp_path / "mine", config())


def test_read_records_without_run_raises(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        read_records(tmp_path, config())


def test_checkpoint_that_vanishes_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker deletes one of two checkpoints between their listing and their move."""
    run = RunDirectory(tmp_path)
    for former in (3, 4):
        run.trial(former).mkdir(parents=True)
        run.checkpoint(former).write_bytes(b"%d" % former)
    make = Path.mkdir

    def make_and_delete(path: Path, **options: Any) -> None:
        make(path, **options)
        run.checkpoint(4).unlink(missing_ok=True)

    monkeypatch.setattr(Path, "mkdir", make_and_delete)
    progress = Notes()
    move_checkpoints(run, progress)([4, 3], 7)
    assert run.checkpoint(7).read_bytes() == b"3"
    assert not run.checkpoint(3).exists()
    move_checkpoints(run, progress)([5], 8)
    assert progress.texts == [
        "trial 7 continues trial 4, from its last checkpoint",
        "trial 8 continues trial 5, from the first epoch: it has no checkpoint",
    ]


@pytest.mark.parametrize(
    ("stored", "changes", "keep"),
    [
        ("all", {}, "all"),
        (2, {}, 2),
        (5, {}, 5),
        ("all", {"search__keep_weights": 5}, 5),
        ("all", {"search__keep_weights": 3, "search__trials": 9}, 3),
    ],
)
def test_resumed_search_keeps_retention_if_key_is_not_set(
    tmp_path: Path, stored: Any, changes: dict[str, Any], keep: Any
) -> None:
    """Else a new default would delete weights of a run that kept them."""
    run = started(tmp_path / "run", config(search__keep_weights=stored))
    search = config(**changes).search
    resumed = with_stored_retention(run, search)
    assert resumed.keep_weights == keep
    assert resumed == search.model_copy(update={"keep_weights": keep})
    notes = Notes()
    with pytest.raises(PluginError, match="'nothing'"):  # Past the check of settings.
        start(run.path, config(**changes), notes)
    kept = [f"`search.keep_weights` stays {stored}, as in {run.config}"]
    expected = kept if stored != 5 and not changes else []
    assert [text.rpartition(": ")[0] for text in notes.texts] == expected


@pytest.mark.parametrize("has_own_schedule", [False, True])
def test_warm_start_makes_trainings_that_a_search_resumes(
    tmp_path: Path, has_own_schedule: bool
) -> None:
    """Short trainings with a schedule of their own are not such trainings."""
    evaluator, store, run, notes = (
        evaluator_of(),
        TrialStore.in_memory(),
        RunDirectory(tmp_path),
        Notes(),
    )
    session: Any = SimpleNamespace(space=space_of(evaluator), config=config(), objectives=())
    estimate = Estimate((), {}, "hard", 0.0, 1.0, 3, 9, has_own_schedule)
    run.estimate.write_text(json.dumps(estimate.to_json()))
    for _ in range(2):
        _estimate_once(session, run, evaluator, store, notes)
    paused = [record for record in store.view().records if record.state == "paused"]
    assert len(paused) == (6 if has_own_schedule else 0)
    assert any("no search resumes" in text for text in notes.texts) == has_own_schedule
    assert Estimate.from_json(json.loads(run.estimate.read_text())) == estimate


def test_damaged_short_trainings_are_made_again(tmp_path: Path) -> None:
    """``mtlsearch repair`` needs a run directory."""
    run, session = RunDirectory(tmp_path), SimpleNamespace(config=config())
    folder = run.short_trainings(1)
    folder.path.mkdir(parents=True)
    folder.journal.write_text("damaged\n")
    with pytest.raises(RunError, match="journal is damaged") as caught:
        _short_studies(cast(Any, session), run, NullProgress())(1)
    assert (
        caught.value.next_step == f"delete the folder {folder.path}; its trainings are made again"
    )


def test_remaining_epochs_are_those_of_missing_trainings() -> None:
    """A plan that is complete in the run has no short training."""
    evaluator, store = evaluator_of(), TrialStore.in_memory()
    short = ShortStudy(evaluator_of(3), TrialStore.in_memory())
    space = space_of(evaluator)
    search(space, evaluator, store, trials=3, seed=0)
    assert _remaining_epochs(store.view(), 9, 2, lambda _: short) == (2 + 1) * 3
    train_with_own_schedule(
        space, evaluator, store, lambda _: short, plans=2, progress=NullProgress()
    )
    assert len(short.store.view().records) == 3
    assert _remaining_epochs(store.view(), 9, 2, lambda _: short) == 0
