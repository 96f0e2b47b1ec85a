"""Optuna's gRPC proxy in front of a database."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from optuna.storages import BaseStorage, InMemoryStorage, get_storage
from optuna.storages._grpc.server import make_server
from optuna.trial import FrozenTrial, TrialState, create_trial

from mtlsearch.errors import InfrastructureError, RunError
from mtlsearch.study import TrialStore, open_storage
from mtlsearch.study import _database as database
from mtlsearch.study import _proxy as proxy
from tests.search.synthetic import Formula
from tests.search.test_search import run
from tests.study.test_workers import complete
from tests.study.test_workers import record_of as running


def start_server(
    tmp_path: Path, port: int, storage: BaseStorage | None = None, threads: int = 1
) -> grpc.Server:
    """Start a proxy, by default of an SQLite file with one thread, which orders transactions."""
    storage = storage or get_storage(f"sqlite:///{tmp_path}/study.db")
    server = make_server(storage, "127.0.0.1", port, ThreadPoolExecutor(max_workers=threads))
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


class BreakableProxy:
    """Server on loopback that passes bytes to a proxy until its connections break."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.url = f"grpc://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ends = (
                    self._listener.accept()[0],
                    socket.create_connection(("127.0.0.1", self._port)),
                )
                self._connections += ends
                for source, target in (ends, ends[::-1]):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def break_connections(self) -> None:
        """Close all connections; new ones are accepted."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._connections.clear()

    def close(self) -> None:
        """Accept no further connection."""
        self._listener.close()
        self.break_connections()


class LateStorage(InMemoryStorage):
    """Storage that breaks the connections while it adds its first trial, and adds it later.

    Attributes:
        after: whether the first trial is added after that of the second try, or just before.
    """

    def __init__(self, *, after: bool) -> None:
        super().__init__()
        self.after = after
        self.break_connections: Callable[[], None] = lambda: None
        self.num_calls = 0
        self._second, self._first_is_added = threading.Event(), threading.Event()
        self._order = threading.Lock()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        with self._order:
            self.num_calls += 1
            number = self.num_calls
        if number > 2:
            return super().create_new_trial(study_id, template_trial)
        if number == 1:
            self.break_connections()
            self._second.wait(20)
            trial_id = super().create_new_trial(study_id, template_trial)
            self._first_is_added.set()
            return trial_id
        if self.after:
            trial_id = super().create_new_trial(study_id, template_trial)
            self._second.set()
            return trial_id
        self._second.set()
        self._first_is_added.wait(20)
        return super().create_new_trial(study_id, template_trial)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_trial_added_while_the_connection_breaks_exists_once(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, after: bool, shared: bool
) -> None:
    """Whether the proxy adds it before or after the trial of the second try."""
    monkeypatch.setattr(database, "MAX_WAIT", 0.05)
    late = LateStorage(after=after)
    server = start_server(tmp_path, port, late, threads=4)
    between = BreakableProxy(port)
    late.break_connections = between.break_connections
    storage = open_storage(between.url, tmp_path / "study.journal", on_outage=lambda text: None)
    store = TrialStore(storage, "test")
    reader = TrialStore(late, "test")
    with store.joined(tmp_path) if shared else nullcontext():
        record = store.start(running())
        wait_for(lambda: len(late.get_all_trials(0)) == 2)
        assert record.number == 0
        assert [trial.number for trial in store.records()] == [0]
        assert [trial.number for trial in reader.refresh().running] == [0]
        store.finish(complete(record, 1.0), 0.0)
        store.mark_interrupted()
        states = [trial.state for trial in late.get_all_trials(0)]
        assert states == [TrialState.COMPLETE, TrialState.FAIL]
        assert [trial.state for trial in reader.records()] == ["complete"]
    between.close()
    server.stop(None).wait()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


class RefusingStorage(InMemoryStorage):
    """Storage whose database answers, but accepts no trial."""

    num_calls = 0

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        self.num_calls += 1
        raise ValueError("the value is too long")


def test_permanent_error_behind_a_proxy_is_raised_soon(tmp_path: Path, port: int) -> None:
    refusing = RefusingStorage()
    server = start_server(tmp_path, port, refusing)
    storage = open_storage(
        f"grpc://127.0.0.1:{port}", tmp_path / "study.journal", on_outage=lambda text: None
    )
    store = TrialStore(storage, "test")
    start = time.monotonic()
    with pytest.raises(InfrastructureError, match="reports an error: the value is too long"):
        store.start(running())
    assert refusing.num_calls == database.MAX_REFUSALS
    refusing.delete_study(0)
    with pytest.raises(RunError, match="no longer exists"):
        store.start(running())
    assert time.monotonic() - start < 10
    server.stop(None).wait()


class RefusingAll(grpc.ServerInterceptor):
    """A proxy that needs credentials."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        def refuse(request: bytes, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no credentials")

        return grpc.unary_unary_rpc_method_handler(refuse)


def test_proxy_that_refuses_all_calls_is_named_at_once(tmp_path: Path, port: int) -> None:
    server = grpc.server(ThreadPoolExecutor(1), interceptors=[RefusingAll()])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    with pytest.raises(RunError, match="reports an error: no credentials"):
        open_storage(
            f"grpc://127.0.0.1:{port}", tmp_path / "study.journal", on_outage=lambda text: None
        )
    server.stop(None).wait()


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
