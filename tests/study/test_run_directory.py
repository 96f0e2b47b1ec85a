"""A run directory names its files and belongs to one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from mtlsearch.config import Override
from mtlsearch.errors import RunError
from mtlsearch.study import RunDirectory, check_run_directory, read_run

RUN_FILE = """\
data: {root: data, sources: {kind: manifest}}
tasks: {kind: {kind: classification}}
backbone: {name: test_resnet}
"""

HOLD = """
import sys
from pathlib import Path
from mtlsearch.study import RunDirectory, check_run_directory
with RunDirectory(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock_held_by_this_process_raises_with_its_id(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "results" / "first")
    with run.locked():
        with pytest.raises(RunError, match=f"process {os.getpid()}") as error, run.locked():
            pass
        assert str(run.path) in str(error.value)
        assert "--out" in str(error.value)
    with run.locked():
        pass


@pytest.mark.parametrize("raises", [False, True])
def test_new_folder_without_files_is_removed(tmp_path: Path, raises: bool) -> None:
    run = RunDirectory(tmp_path / "run")
    with suppress(ZeroDivisionError), run.locked():
        assert run.in_use
        if raises:
            raise ZeroDivisionError
    assert not run.path.exists()
    with run.locked():
        run.config.write_text("seed: 0\n")
    with run.locked():
        pass
    assert run.config.is_file()


def test_existing_empty_folder_stays(tmp_path: Path) -> None:
    with RunDirectory(tmp_path).locked():
        pass
    assert tmp_path.is_dir()


def test_new_parents_of_an_unused_folder_are_removed_too(tmp_path: Path) -> None:
    kept = tmp_path / "results" / "old"
    kept.mkdir(parents=True)
    for path in (tmp_path / "new" / "deep" / "run", kept.parent / "run"):
        run = RunDirectory(path)
        with run.locked(), run.setting_up():
            assert path.is_dir()
    assert sorted(tmp_path.rglob("*")) == [kept.parent, kept]


def test_lock_of_killed_process_is_free(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=f"process {holder.pid}"), run.locked():
            pass
        assert run.in_use
        holder.kill()
    assert not run.in_use
    with run.locked():
        pass


def test_lock_of_file_raises(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("a file")
    with (
        pytest.raises(FileExistsError),  # the command line describes it
        RunDirectory(tmp_path / "run.yaml").locked(),
    ):
        pass


@pytest.mark.parametrize("others", [(), ("study.journal", "photo.png")])
def test_run_file_of_the_user_is_not_replaced(tmp_path: Path, others: tuple[str, ...]) -> None:
    run = RunDirectory(tmp_path)
    run.config.write_text("# my comment\nseed: 0\n")
    for name in others:
        (tmp_path / name).touch()
    with pytest.raises(RunError, match="no search wrote") as error:
        check_run_directory(run)
    assert str(Path("results") / tmp_path.name) in str(error.value)
    assert not run.path.joinpath(".lock").exists()


def test_require_without_run_file_raises(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "nothing")
    with pytest.raises(RunError, match="not a run directory") as error:
        run.require()
    assert "mtlsearch search" in str(error.value)
    run.path.mkdir()
    run.config.write_text("seed: 0\n")
    run.journal.touch()
    run.require()


def test_require_with_run_file_but_no_study_raises(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.config.write_text("seed: 0\n")
    with pytest.raises(RunError, match="contains a run file but no search") as error:
        run.require()
    assert f"mtlsearch search {run.config}" in str(error.value)
    run.trial(0).mkdir(parents=True)
    with pytest.raises(RunError, match=r"study\.journal is missing, but .* 1 trial folder"):
        run.require()


def test_require_of_file_raises(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("seed: 0\n")
    with pytest.raises(RunError, match="is a file, not a run directory") as error:
        RunDirectory(file).require()
    assert f"--out {file}" not in str(error.value)


def test_require_of_parent_folder_lists_runs(tmp_path: Path) -> None:
    for name in ("b", "a", "only-a-run-file"):
        run = RunDirectory(tmp_path / name)
        run.path.mkdir()
        run.config.touch()
        if len(name) == 1:
            run.journal.touch()
    with pytest.raises(RunError, match="not a run directory, but folders below it are") as error:
        RunDirectory(tmp_path).require()
    assert error.value.allowed == (str(tmp_path / "a"), str(tmp_path / "b"))
    assert error.value.next_step is None


def test_require_without_run_file_but_study_raises(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.journal.touch()
    with pytest.raises(RunError, match=r"run\.yaml is missing") as error:
        run.require()
    assert error.value.where == str(run.config)


def test_paths_contain_trial_number() -> None:
    run = RunDirectory(Path("run"))
    assert run.weights(3) == Path("run/trials/0003/weights.safetensors")
    assert run.history(12345) == Path("run/trials/12345/history.csv")


def test_variable_names_the_data_only_if_they_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, moved, named = (tmp_path / name for name in ("data", "moved", "named"))
    stored.mkdir()
    run = RunDirectory(tmp_path)
    run.config.write_text(RUN_FILE)
    run.journal.touch()
    monkeypatch.setenv("MTLSEARCH_DATA_ROOT", str(moved))
    override = Override(("data", "root"), str(named), "--data-root")
    assert read_run(tmp_path).config.data.root == stored
    assert read_run(tmp_path, overrides=[override]).config.data.root == named
    stored.rename(moved)
    assert read_run(tmp_path).config.data.root == moved
    assert read_run(tmp_path, overrides=[override]).config.data.root == named
