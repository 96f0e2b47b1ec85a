"""``mtlsearch dashboard``."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen
from wsgiref.util import setup_testing_defaults

import optuna
import optuna_dashboard
import pytest

from mtlsearch.study import open_storage
from tests.cli.conftest import SmallSearch
from tests.cli.program import START, call

pytestmark = pytest.mark.xdist_group("small_search")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answer(url: str, process: subprocess.Popen[str]) -> bytes:
    """Return what a server answers, once it has started."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(url, timeout=10) as response:
                return bytes(response.read())
        except URLError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)


def test_dashboard_serves_the_study_of_a_run(small_search: SmallSearch, tmp_path: Path) -> None:
    run, port = small_search.copy(tmp_path), free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", START, "dashboard", str(run), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        studies = json.loads(answer(f"http://127.0.0.1:{port}/api/studies", process))
        (study,) = studies["study_summaries"]
        page = answer(f"http://127.0.0.1:{port}/dashboard/", process)
        trials = json.loads(
            answer(f"http://127.0.0.1:{port}/api/studies/{study['study_id']}", process)
        )["trials"]
    finally:
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert f"http://127.0.0.1:{port}/dashboard/" in stdout
    assert b"<html" in page.lower()
    assert len(trials) >= 4
    assert {trial["state"] for trial in trials} == {"Complete"}
    assert "Traceback" not in stderr


def test_database_has_a_dashboard(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/study.db", tmp_path / "study.journal")
    optuna.create_study(storage=storage, study_name="first")
    environment: dict[str, Any] = {"PATH_INFO": "/api/studies"}
    setup_testing_defaults(environment)
    body = b"".join(optuna_dashboard.wsgi(storage)(environment, lambda *_: None))
    (study,) = json.loads(body)["study_summaries"]
    assert study["study_name"] == "first"


def test_port_in_use_is_named(small_search: SmallSearch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = call("dashboard", small_search.run, "--port", port)
    assert result.returncode == 1
    assert f"127.0.0.1:{port}" in result.stderr


def test_missing_package_is_named(
    small_search: SmallSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtlsearch.cli.commands._dashboard.find_spec", lambda name: None)
    result = call("dashboard", small_search.run)
    assert result.returncode == 1
    assert "mtlsearch[dashboard]" in result.stderr
