"""Optuna's gRPC proxy in front of a database."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from optuna.storages import get_storage
from optuna.storages._grpc.server import make_server
from optuna.trial import TrialState, create_trial

from mtlsearch.errors import InfrastructureError, RunError
from mtlsearch.study import TrialStore, open_storage
from mtlsearch.study import _database as database
from mtlsearch.study import _proxy as proxy
from tests.search.synthetic import Formula
from tests.search.test_search import run


def start_server(tmp_path: Path, port: int) -> grpc.Server:
    """Start a proxy of an SQLite file with one thread, which orders its transactions."""
    storage = get_storage(f"sqlite:///{tmp_path}/study.db")
    server = make_server(storage, "127.0.0.1", port, ThreadPoolExecutor(max_workers=1))
    server.start()
    return server


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def url(tmp_path: Path, port: int) -> Iterator[str]:
    server = start_server(tmp_path, port)
    yield f"grpc://127.0.0.1:{port}"
    server.stop(None).wait()


def test_search_through_a_proxy_equals_one_without(tmp_path: Path, url: str) -> None:
    through = run(tmp_path, Formula(), 6, storage=url).records()
    expected = run(tmp_path / "other", Formula(), 6).records()
    assert [record.candidate for record in through] == [record.candidate for record in expected]
    assert [record.state for record in through] == ["complete"] * 6
    stored = TrialStore(get_storage(f"sqlite:///{tmp_path}/study.db"), "test").records()
    assert [record.results for record in stored] == [record.results for record in through]


def test_trial_that_is_added_twice_exists_once(tmp_path: Path, url: str) -> None:
    storage = open_storage(url, tmp_path / "study.journal")
    store = TrialStore(storage, "test")
    study_id = storage.get_study_id_from_name("test")
    trials = [
        create_trial(state=TrialState.RUNNING, user_attrs={"token": token}) for token in "aab"
    ]
    added = [storage.create_new_trial(study_id, trial) for trial in trials]
    assert added[0] == added[1] != added[2]
    assert len(store.trials) == 2


def test_proxy_that_is_gone_is_an_outage(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server(tmp_path, port)
    storage = open_storage(f"grpc://127.0.0.1:{port}", tmp_path / "study.journal")
    server.stop(None).wait()
    monkeypatch.setattr(database, "PATIENCE", 0.0)
    with pytest.raises(InfrastructureError, match="does not answer"):
        storage.get_all_studies()


@pytest.mark.parametrize("wrong", ["grpc://host", "grpc://:3", "grpc://host:x", "grpc://h:1/a"])
def test_invalid_url_of_a_proxy_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(RunError, match="grpc://HOST:PORT"):
        open_storage(wrong, tmp_path / "study.journal")


def test_missing_proxy_is_named(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "READY_SECONDS", 0.2)
    with pytest.raises(RunError, match="does not answer") as error:
        open_storage(f"grpc://127.0.0.1:{port}", tmp_path / "study.journal")
    assert "run_grpc_proxy_server" in str(error.value)
    monkeypatch.setattr(proxy, "find_spec", lambda name: None)
    with pytest.raises(RunError, match="grpc") as error:
        open_storage(f"grpc://127.0.0.1:{port}", tmp_path / "study.journal")
    assert "mtlsearch[grpc]" in str(error.value)
