"""Several worker processes: which error the user sees."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from mtlsearch.cli._console import Console
from mtlsearch.cli._progress import ProgressView
from mtlsearch.cli._progress_events import MARK
from mtlsearch.cli._worker_processes import (
    MAX_RESTARTS,
    Placement,
    WorkerFailedError,
    run_workers,
)
from mtlsearch.errors import InfrastructureError

WAITING = """
import sys, time
try:
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(130)
"""
FAILING = f"""
import sys, time
time.sleep(0.5)
print({MARK!r} + '["error", "the disk is full", 75]', flush=True)
sys.exit(75)
"""
DYING = """
import sys, time
time.sleep(0.5)
sys.exit(70)
"""


KILLED = """
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""
FINISHED = f"""
print({MARK!r} + '["outcome", {{"num_finished": 4, "reason": ""}}]', flush=True)
"""


def run_programs(monkeypatch: pytest.MonkeyPatch, programs: Sequence[str]) -> WorkerFailedError:
    """Return the error of workers that run these programs."""
    popen, remaining = subprocess.Popen, iter(programs)

    def start(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        assert command[0] == sys.executable
        process: subprocess.Popen[str] = popen([sys.executable, "-c", next(remaining)], **options)
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(WorkerFailedError) as caught:
        run_workers([], [Placement({}, "")] * len(programs), ProgressView(Console()))
    return caught.value


@pytest.mark.parametrize("programs", [(WAITING, FAILING), (FAILING, WAITING)])
def test_error_of_the_failed_worker_is_shown(
    monkeypatch: pytest.MonkeyPatch, programs: Sequence[str]
) -> None:
    error = run_programs(monkeypatch, programs)
    assert (str(error), error.code) == ("the disk is full", 75)


def test_exit_code_of_a_worker_without_message_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    error = run_programs(monkeypatch, (WAITING, DYING))
    assert (str(error), error.code) == ("", 70)


def start_each(monkeypatch: pytest.MonkeyPatch, programs: Sequence[str]) -> list[str]:
    """Let the next processes run these programs; return those that are not started."""
    popen, remaining = subprocess.Popen, list(programs)

    def start(_: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = popen([sys.executable, "-c", remaining.pop(0)], **options)
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    return remaining


def test_killed_worker_starts_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = start_each(monkeypatch, (KILLED, KILLED, FINISHED))
    outcome = run_workers([], [Placement({}, "")], ProgressView(Console()))
    assert outcome["num_finished"] == 4
    assert not left
    assert capsys.readouterr().err.count("was ended by signal 9, it starts again") == 2


def test_worker_that_is_killed_too_often_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = start_each(monkeypatch, (KILLED,) * (MAX_RESTARTS + 2))
    with pytest.raises(InfrastructureError, match="workers ended before the search"):
        run_workers([], [Placement({}, "")], ProgressView(Console()))
    assert len(left) == 1
    assert "it is not started again" in capsys.readouterr().err
