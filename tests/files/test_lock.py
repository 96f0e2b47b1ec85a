"""One process at a time holds a file lock, and a killed process frees it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mtlsearch.files import FileLock, LockHeldError

HOLD = """
import sys, time
from pathlib import Path
from mtlsearch.files import FileLock
lock = FileLock(Path(sys.argv[1]), blocking=sys.argv[2] == "blocking")
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


@contextmanager
def holder(path: Path, kind: str = "non-blocking") -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock until it is killed."""
    command = [sys.executable, "-c", HOLD, str(path), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_lock_of_another_process_is_refused(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock", blocking=False)
    with holder(lock.path) as process:
        assert lock.is_held
        with pytest.raises(LockHeldError, match=f"process {process.pid}") as error:
            lock.acquire()
        assert error.value.owner == process.pid
        assert error.value.path == lock.path


def test_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock", blocking=False)
    with holder(lock.path) as process:
        process.kill()
        process.wait()
        assert not lock.is_held
        with lock:
            assert lock.owner == os.getpid()


def test_second_lock_of_the_same_process_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    first, second = FileLock(path, blocking=False), FileLock(path, blocking=False)
    with first:
        for lock in (first, second):
            with pytest.raises(LockHeldError) as error:
                lock.acquire()
            assert error.value.owner == os.getpid()
            assert lock.is_held
    with second:
        assert first.is_held


def test_owner_without_a_recorded_process_is_unknown(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock", blocking=False)
    with (
        holder(lock.path, "blocking"),
        pytest.raises(LockHeldError, match="process unknown") as error,
    ):
        lock.acquire()
    assert error.value.owner is None


def test_blocking_lock_waits_until_it_is_free(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    with holder(lock.path) as process:
        timer = threading.Timer(0.2, process.kill)
        started = time.monotonic()
        timer.start()
        with lock:
            assert time.monotonic() - started >= 0.2
        assert not lock.is_held


def test_probe_creates_no_file(tmp_path: Path) -> None:
    assert not FileLock(tmp_path / "x.lock").is_held
    assert list(tmp_path.iterdir()) == []


def test_probe_of_an_unwritable_lock_reads_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import filelock

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    lock = FileLock(tmp_path / "x.lock", blocking=False)
    lock.path.touch()
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    assert not lock.is_held
    lock.owner_path.write_text("17")
    assert lock.is_held


def test_release_leaves_only_the_lock_file(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock", blocking=False)
    with lock:
        assert {path.name for path in tmp_path.iterdir()} == {"x.lock", "x.lock.pid"}
    lock.release()
    assert [path.name for path in tmp_path.iterdir()] == ["x.lock"]


def test_lock_that_cannot_be_written_raises(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        FileLock(tmp_path / "file" / "x.lock", blocking=False).acquire()
