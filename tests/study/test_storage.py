"""The storage of the study: the journal in the run directory, or a storage URL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mtlsearch.errors import RunError
from mtlsearch.study import TrialStore, open_storage
from mtlsearch.study._journal import truncate_partial_line
from tests.search.synthetic import Formula
from tests.search.test_search import run, store_at


@pytest.mark.parametrize(
    ("content", "complete"),
    [
        (b"", b""),
        (b'{"a": 1}\n', b'{"a": 1}\n'),
        (b'{"a": 1}\n{"b"', b'{"a": 1}\n'),
        (b'{"a": 1}\n\0\0\0', b'{"a": 1}\n'),
        (b'{"a"', b""),
    ],
    ids=["empty", "complete", "partial", "zeros", "only partial"],
)
def test_truncate_partial_line_keeps_complete_lines(
    tmp_path: Path, content: bytes, complete: bytes
) -> None:
    journal = tmp_path / "study.journal"
    journal.write_bytes(content)
    truncate_partial_line(journal)
    assert journal.read_bytes() == complete


def test_truncate_partial_line_without_journal_writes_nothing(tmp_path: Path) -> None:
    truncate_partial_line(tmp_path / "study.journal")
    assert not list(tmp_path.iterdir())


def test_records_of_journal_with_partial_line_write_nothing(tmp_path: Path) -> None:
    """A line appended to a partial line would make both unreadable."""
    records = run(tmp_path, Formula(), 4).records()
    journal = tmp_path / "study.journal"
    journal.write_bytes(journal.read_bytes() + b'{"op_code": 5, "work')
    before = journal.read_bytes()
    assert store_at(tmp_path).records() == records
    assert journal.read_bytes() == before


def test_journal_without_params_has_the_same_records(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(), 4).records()
    storage = open_storage(None, tmp_path / "study.journal", has_params=False)
    store = TrialStore(storage, "test")
    assert store.records() == records
    assert not any(trial.params for trial in store.trials)
    assert any(trial.params for trial in store_at(tmp_path).trials)


@pytest.mark.parametrize("garbage", [b"garbage", b"", b"3", b"{}", b"\xff\0", b'{"op_code": 5'])
@pytest.mark.parametrize("number", [1, 3])
def test_damaged_journal_raises_with_its_line(tmp_path: Path, garbage: bytes, number: int) -> None:
    run(tmp_path, Formula(), 2)
    journal = tmp_path / "study.journal"
    lines = journal.read_bytes().splitlines()
    lines.insert(number - 1, garbage)
    journal.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(RunError, match="the journal is damaged") as error:
        store_at(tmp_path)
    assert error.value.where == f"{journal}:{number}"


@pytest.mark.parametrize(("old", "new"), [(b"+00:", b"+00:G"), (b'"study_id"', b'"study"')])
def test_journal_with_an_invalid_entry_raises(tmp_path: Path, old: bytes, new: bytes) -> None:
    run(tmp_path, Formula(), 2)
    journal = tmp_path / "study.journal"
    content = journal.read_bytes()
    assert old in content
    journal.write_bytes(content.replace(old, new, 1))
    number = content[: content.index(old)].count(b"\n") + 1
    with pytest.raises(RunError, match=f"damaged: line {number} is rejected by Optuna") as error:
        store_at(tmp_path)
    assert error.value.where == f"{journal}:{number}"
    assert "mtlsearch repair" in str(error.value)


def test_missing_database_driver_names_its_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(RunError, match=r"driver pymysql .* is not installed") as error:
        open_storage("mysql+pymysql://me:secret@here/study", tmp_path / "study.journal")
    assert error.value.next_step == "install the driver: pip install pymysql"
    assert "secret" not in str(error.value)


HOLD = """
import os, sys
from pathlib import Path
from mtlsearch.files import FileLock
FileLock(Path(sys.argv[1])).acquire()
os.kill(os.getpid(), 9)
"""


def test_journal_lock_of_killed_process_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "study.lock"
    process = subprocess.run([sys.executable, "-c", HOLD, str(lock)], check=False)
    assert process.returncode == -9
    assert lock.exists()
    assert len(run(tmp_path, Formula(), 3).records()) == 3


def test_search_in_database_equals_search_in_journal(tmp_path: Path) -> None:
    """The database also resumes the search."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    by_url, by_journal = Formula(), Formula()
    run(tmp_path / "journal", by_journal, 6)
    run(tmp_path, by_url, 4, storage=url)
    assert len(TrialStore(open_storage(url, tmp_path / "unused"), "test").records()) == 4
    run(tmp_path, by_url, 6, storage=url)
    assert by_url.measured == by_journal.measured


def test_relative_sqlite_file_is_beside_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    open_storage("sqlite:///study.db", home / "study.journal")
    assert [path.name for path in home.iterdir()] == ["study.db"]
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    "url", ["study.db", "redis://somewhere", "nosuch://x/y", "sqlite:////no/such/folder/x.db"]
)
def test_invalid_storage_url_raises(tmp_path: Path, url: str) -> None:
    with pytest.raises(RunError, match="cannot be opened") as error:
        open_storage(url, tmp_path / "study.journal")
    assert url in str(error.value)
    assert "sqlite:///study.db" in str(error.value)
    assert len(str(error.value).splitlines()) == 3


def test_error_hides_storage_password(tmp_path: Path) -> None:
    with pytest.raises(RunError) as error:
        open_storage("nosuch://me:secret@here/study", tmp_path / "study.journal")
    assert "secret" not in str(error.value)
    assert "nosuch://me:***@here/study" in str(error.value)


def test_hidden_storage_password_raises(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="password of the storage is missing") as error:
        open_storage("postgresql://me:***@here/study", tmp_path / "study.journal")
    assert "MTLSEARCH_STORAGE_PASSWORD" in str(error.value)
