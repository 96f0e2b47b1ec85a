"""Workers of a study: processes that train its trials, and which of them are alive."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, Self

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage

from mtlsearch.errors import InfrastructureError
from mtlsearch.files import FileLock, atomic_write

HEARTBEAT_SECONDS = 10.0
"""Seconds between two heartbeats of a worker."""

DEAD_SECONDS = 60.0
"""Seconds without a heartbeat after which a worker on another host counts as dead."""

PREFIX = ".worker-"
"""Start of the names of a worker's files in the run directory."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of life of a worker.

    Attributes:
        host: name of its host.
        process: its process id.
        time: seconds since 1970 on its host. Other hosts only notice that it changes.
    """

    host: str
    process: int
    time: float


class Heartbeats(Protocol):
    """Where workers leave their heartbeats."""

    def write(self, worker: str, heartbeat: Heartbeat) -> None:
        """Replace the heartbeat of a worker."""

    def remove(self, worker: str) -> None:
        """Remove the heartbeat of a worker; without effect if there is none."""

    def read(self) -> Mapping[str, Heartbeat]:
        """Return the last heartbeat of each worker."""


@dataclass(frozen=True, slots=True)
class FileHeartbeats:
    """Heartbeats in hidden files of a run directory, which all workers of a journal share."""

    folder: Path

    def write(self, worker: str, heartbeat: Heartbeat) -> None:
        """Replace the heartbeat of a worker."""
        with atomic_write(self._file(worker)) as temporary:
            temporary.write_text(json.dumps(asdict(heartbeat)), encoding="utf-8")

    def remove(self, worker: str) -> None:
        """Remove the heartbeat of a worker; without effect if there is none."""
        self._file(worker).unlink(missing_ok=True)

    def read(self) -> Mapping[str, Heartbeat]:
        """Return the last heartbeat of each worker."""
        heartbeats = {}
        for file in self.folder.glob(f"{PREFIX}*.json"):
            with suppress(FileNotFoundError):  # its worker ends at this moment
                stored = json.loads(file.read_text(encoding="utf-8"))
                heartbeats[file.stem.removeprefix(PREFIX)] = Heartbeat(**stored)
        return heartbeats

    def _file(self, worker: str) -> Path:
        return self.folder / f"{PREFIX}{worker}.json"


@dataclass(frozen=True, slots=True)
class StudyHeartbeats:
    """Heartbeats in user attributes of a study in a database."""

    storage: BaseStorage
    study_id: int

    def write(self, worker: str, heartbeat: Heartbeat) -> None:
        """Replace the heartbeat of a worker."""
        self.storage.set_study_user_attr(self.study_id, PREFIX + worker, asdict(heartbeat))

    def remove(self, worker: str) -> None:
        """Empty the heartbeat of a worker; Optuna cannot remove an attribute."""
        self.storage.set_study_user_attr(self.study_id, PREFIX + worker, None)

    def read(self) -> Mapping[str, Heartbeat]:
        """Return the last heartbeat of each worker."""
        attributes = self.storage.get_study_user_attrs(self.study_id)
        return {
            name.removeprefix(PREFIX): Heartbeat(**stored)
            for name, stored in attributes.items()
            if name.startswith(PREFIX) and stored is not None
        }


class Worker:
    """This process as a worker of a study.

    It holds a file lock, which the operating system frees when the process ends, and a thread
    writes a heartbeat every few seconds. A worker on the same host is alive while it holds its
    lock. A worker on another host, or of another run directory, is alive while its heartbeat
    changes. No clocks of two hosts are compared.

    Attributes:
        id: identifies the worker; trials that it runs contain it.

    Args:
        folder: run directory, for the lock.
        heartbeats: where workers leave their heartbeats.
    """

    def __init__(self, folder: Path, heartbeats: Heartbeats) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._folder = folder
        self._heartbeats = heartbeats
        self._lock = FileLock(self._lock_file(self.id))
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._seen: dict[str, tuple[Heartbeat, float]] = {}
        self._last_beat = self._available_since = time.monotonic()

    def __enter__(self) -> Self:
        self._lock.acquire()
        self._heartbeats.write(self.id, _heartbeat())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        self._thread.join(HEARTBEAT_SECONDS)
        # An outage leaves a heartbeat that soon counts as that of a dead worker.
        with suppress(InfrastructureError, StorageInternalError, OSError):
            self._heartbeats.remove(self.id)
        self._lock.release()
        self._lock.path.unlink(missing_ok=True)

    def living(self) -> frozenset[str]:
        """Return the workers that are alive, this one included.

        What dead workers left is removed.

        Returns:
            Their ids.
        """
        heartbeats = self._heartbeats.read()
        alive = {worker for worker, beat in heartbeats.items() if self._is_alive(worker, beat)}
        for worker in heartbeats.keys() - alive - {self.id}:
            self._heartbeats.remove(worker)
            self._lock_file(worker).unlink(missing_ok=True)
            self._seen.pop(worker, None)
        return frozenset({self.id, *alive})

    def _is_alive(self, worker: str, heartbeat: Heartbeat) -> bool:
        if (is_held := _is_locked(self._lock_file(worker), heartbeat)) is not None:
            return is_held
        now = time.monotonic()
        last, since = self._seen.get(worker, (None, now))
        if last != heartbeat:
            since = now
        self._seen[worker] = (heartbeat, since)
        # While the storage is away, no worker leaves a heartbeat.
        is_available = now - self._last_beat < 2 * HEARTBEAT_SECONDS
        return not is_available or now - max(since, self._available_since) < DEAD_SECONDS

    def _beat(self) -> None:
        while not self._has_ended.wait(HEARTBEAT_SECONDS):
            # After an outage, the next heartbeat follows.
            with suppress(InfrastructureError, StorageInternalError, OSError):
                self._heartbeats.write(self.id, _heartbeat())
                now = time.monotonic()
                if now - self._last_beat > 2 * HEARTBEAT_SECONDS:
                    self._available_since = now
                self._last_beat = now

    def _lock_file(self, worker: str) -> Path:
        return _lock_file(self._folder, worker)


def recent_workers(folder: Path, heartbeats: Heartbeats) -> frozenset[str]:
    """Return the workers that seem to be alive, at a single look and without writing.

    Args:
        folder: run directory.
        heartbeats: where workers leave their heartbeats.

    Returns:
        Their ids. The clocks of other hosts are compared with the own one.
    """
    alive = set()
    for worker, heartbeat in heartbeats.read().items():
        is_alive = _is_locked(_lock_file(folder, worker), heartbeat)
        if is_alive is None:
            is_alive = time.time() - heartbeat.time < DEAD_SECONDS
        if is_alive:
            alive.add(worker)
    return frozenset(alive)


def _is_locked(lock_file: Path, heartbeat: Heartbeat) -> bool | None:
    """Return whether a worker holds its lock; None if this host cannot know it."""
    if heartbeat.host != socket.gethostname() or not lock_file.exists():
        return None
    return FileLock(lock_file, blocking=False).is_held


def _lock_file(folder: Path, worker: str) -> Path:
    return folder / f"{PREFIX}{worker}.lock"


def _heartbeat() -> Heartbeat:
    return Heartbeat(socket.gethostname(), os.getpid(), time.time())
