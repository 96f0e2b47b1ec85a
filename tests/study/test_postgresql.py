"""Studies in a real PostgreSQL server."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import (
    DataError,
    InvalidatePoolError,
    OperationalError,
    PendingRollbackError,
)

from mtlsearch.errors import InfrastructureError, RunError
from mtlsearch.plugin import Candidate
from mtlsearch.results import TrialRecord
from mtlsearch.search import Measurement, SearchProgress, search
from mtlsearch.search.space import propose_baseline
from mtlsearch.study import TrialStore, _database, open_storage, require_storage
from mtlsearch.study._database import is_outage, with_installed_driver
from tests.search.synthetic import Formula, space_for
from tests.search.test_search import run
from tests.study.postgresql import PostgreSQLServer


def running_record() -> TrialRecord:
    candidate = propose_baseline(space_for(Formula()), "independent").candidate
    return TrialRecord(0, "running", "independent", candidate, 12, 34)


@dataclass
class StoppingServer(Formula):
    """Evaluator during whose third measurement the server stops for some seconds."""

    server: PostgreSQLServer | None = None
    seconds: float = 3.0
    restart: threading.Timer | None = None

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        if number == 2:
            assert self.server is not None
            self.server.stop()
            self.restart = threading.Timer(self.seconds, self.server.start)
            self.restart.start()
        return super().measure(number, candidate, progress, epochs)


def test_server_after_stop_and_start_keeps_its_databases(postgresql: PostgreSQLServer) -> None:
    url = postgresql.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (number integer)")
    postgresql.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    postgresql.start()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        assert connection.info.server_version >= 150000


def test_search_in_postgresql_equals_search_in_journal(
    postgresql: PostgreSQLServer, tmp_path: Path
) -> None:
    """The driver is chosen by what is installed. The database also resumes the search."""
    url = postgresql.new_database()
    by_url, by_journal = Formula(), Formula()
    run(tmp_path / "journal", by_journal, 6)
    run(tmp_path, by_url, 4, storage=url)
    assert len(TrialStore(open_storage(url, tmp_path / "unused"), "test").records()) == 4
    run(tmp_path, by_url, 6, storage=url)
    assert by_url.measured == by_journal.measured


def lose_answers(monkeypatch: pytest.MonkeyPatch, number: int) -> list[psycopg.Connection]:
    """Break connections right after they commit, so that it is unknown whether they did."""
    commit, broken = psycopg.Connection.commit, []

    def commit_and_break(connection: psycopg.Connection) -> None:
        commit(connection)
        if len(broken) < number:
            broken.append(connection)
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.Connection, "commit", commit_and_break)
    return broken


def test_trial_whose_answer_is_lost_is_added_once(
    postgresql: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(postgresql.new_database(), Path("unused"), on_outage=lambda _: None)
    store = TrialStore(storage, "test")
    broken = lose_answers(monkeypatch, 2)
    record = store.start(running_record())
    assert len(broken) == 2
    assert record.number == 0
    assert [trial.number for trial in TrialStore(storage, "test").trials] == [0]
    assert store.start(running_record()).number == 1


def test_end_whose_answer_is_lost_is_stored_once(
    postgresql: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(postgresql.new_database(), Path("unused"), on_outage=lambda _: None)
    store = TrialStore(storage, "test")
    record = store.start(running_record())
    set_state, tries = RDBStorage.set_trial_state_values, []

    def set_and_lose(*arguments: Any, **options: Any) -> bool:
        tries.append(arguments)
        lose_answers(monkeypatch, 1 if len(tries) == 1 else 0)
        return set_state(*arguments, **options)

    monkeypatch.setattr(RDBStorage, "set_trial_state_values", set_and_lose)
    store.finish(replace(record, state="failed", reason="the loss is NaN"), None)
    assert [trial.reason for trial in TrialStore(storage, "test").records()] == ["the loss is NaN"]
    assert TrialStore(storage, "test").trials[0].state is TrialState.FAIL
    assert len(tries) == 2


def test_search_continues_after_an_outage(postgresql: PostgreSQLServer, tmp_path: Path) -> None:
    url = postgresql.new_database()
    messages: list[str] = []
    evaluator = StoppingServer(server=postgresql)
    storage = open_storage(url, tmp_path / "unused", on_outage=messages.append)
    store = TrialStore(storage, "test")
    search(space_for(evaluator), evaluator, store, trials=6, seed=0)
    assert messages
    assert messages[0] == "the database does not answer, again in 1 s"
    records = store.records()
    assert [record.state for record in records] == ["complete"] * 6
    assert len({record.plan for record in records}) == 6


def test_outage_that_does_not_end_is_an_infrastructure_error(
    postgresql: PostgreSQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_database, "PATIENCE", 2.5)
    messages: list[str] = []
    storage = open_storage(postgresql.new_database(), Path("unused"), on_outage=messages.append)
    store = TrialStore(storage, "test")
    postgresql.stop()
    with pytest.raises(InfrastructureError, match=r"does not answer after 3 tries: .*") as error:
        store.records()
    assert "again in 1 s" in messages[0]
    assert "run the same command again" in str(error.value)


def test_database_that_is_away_is_not_waited_for_by_a_reader(postgresql: PostgreSQLServer) -> None:
    storage = open_storage(postgresql.new_database(), Path("unused"))
    store = TrialStore(storage, "test")
    postgresql.stop()
    start = time.monotonic()
    with pytest.raises(InfrastructureError, match="the database does not answer"):
        store.records()
    assert time.monotonic() - start < 1


def test_first_starts_on_an_empty_database_all_succeed(postgresql: PostgreSQLServer) -> None:
    url = postgresql.new_database()
    barrier = threading.Barrier(6)

    def open_first(number: int) -> str:
        barrier.wait()
        storage = open_storage(url, Path("unused"))
        return TrialStore(storage, "test").start(running_record()).state

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(open_first, range(6))) == ["running"] * 6
    assert len(TrialStore(open_storage(url, Path("unused")), "test").records()) == 6


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ((), "postgresql+psycopg://"),
        (("psycopg",), "postgresql+psycopg://"),
        (("psycopg2",), "postgresql+psycopg2://"),
        (("psycopg", "psycopg2"), "postgresql+psycopg://"),
    ],
)
def test_url_without_driver_uses_the_installed_one(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], expected: str
) -> None:
    monkeypatch.setattr(_database, "find_spec", lambda name: name in installed or None)
    assert with_installed_driver("postgresql://me:secret@here/db").startswith(expected)
    assert "secret" in with_installed_driver("postgresql://me:secret@here/db")


@pytest.mark.parametrize(
    ("url", "module", "package"),
    [
        ("postgresql://here/db", "psycopg", "'mtlsearch[postgresql]'"),
        ("postgresql+psycopg2://here/db", "psycopg2", "psycopg2-binary"),
        ("mysql://here/db", "pymysql", "pymysql"),
        ("mysql+mysqldb://here/db", "MySQLdb", "mysqlclient"),
    ],
)
def test_missing_driver_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, package: str
) -> None:
    for name in ("psycopg", "psycopg2", "pymysql", "MySQLdb"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RunError, match=f"driver {module} .* is not installed") as error:
        require_storage(url)
    assert error.value.next_step == f"install the driver: pip install {package}"


def test_second_query_of_optuna_does_not_hide_an_outage() -> None:
    """After a failed query, Optuna tries a slower one, whose error is about the session."""
    lost = OperationalError("SELECT", {}, psycopg.OperationalError("server closed the connection"))
    second = PendingRollbackError("Can't reconnect until invalid transaction is rolled back")
    second.__context__ = lost
    replaced = StorageInternalError("An exception is raised during the commit")
    replaced.__cause__ = second
    assert is_outage(replaced)
    assert not is_outage(StorageInternalError("invalid"))
    missing = KeyError("no such study")
    missing.__context__ = replaced
    assert not is_outage(missing)


def test_lost_connection_of_the_pool_does_not_hide_an_outage() -> None:
    """The pool notices that its connection is lost, and cannot connect again."""
    refused = OperationalError(None, None, psycopg.OperationalError("Connection refused"))
    refused.__cause__ = refused.orig
    assert refused.__cause__ is not None
    refused.__cause__.__context__ = InvalidatePoolError()
    replaced = StorageInternalError("An exception is raised during the commit")
    replaced.__cause__ = refused
    assert is_outage(replaced)
    invalid = StorageInternalError("An exception is raised during the commit")
    invalid.__cause__ = DataError("INSERT", {}, psycopg.DataError("value too long"))
    assert not is_outage(invalid)
