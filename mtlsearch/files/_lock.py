"""Lock between processes, on a file."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

POLL_SECONDS = 0.01


class LockHeldError(Exception):
    """The lock is held by another process, or by another lock of this process.

    Args:
        path: the lock file.
        owner: process id of the holder; None if it is unknown.
    """

    def __init__(self, path: Path, owner: int | None) -> None:
        super().__init__(f"{path} is locked by process {owner or 'unknown'}")
        self.path = path
        self.owner = owner


class FileLock:
    """Exclusive lock between processes that the operating system frees when its holder ends.

    A killed process frees its locks at once, and so does an object that is garbage-collected.
    The lock file itself stays on disk, because removing it would let two processes lock two
    different files of the same name.

    A non-blocking lock records its process id in a second file, so that a process that is
    refused can report the holder.

    Attributes:
        path: the lock file.
        blocking: whether to wait for the lock.
        owner_path: the file with the holder's process id.

    Args:
        path: the lock file; its parent folders are created.
        blocking: whether to wait until the lock is free; otherwise a held lock is an error.
    """

    def __init__(self, path: Path, *, blocking: bool = True) -> None:
        # Importing filelock takes 25 ms, which commands that lock nothing should not pay.
        import filelock

        self.path = path
        self.blocking = blocking
        self.owner_path = path.with_name(f"{path.name}.pid")
        self._lock = filelock.FileLock(path)

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            LockHeldError: the lock is non-blocking and is held.
            OSError: the lock file cannot be written.
        """
        import filelock

        if self._lock.is_locked:  # filelock would count a second level
            raise LockHeldError(self.path, os.getpid())
        try:
            self._lock.acquire(blocking=self.blocking, poll_interval=POLL_SECONDS)
        except filelock.Timeout as error:
            raise LockHeldError(self.path, self.owner) from error
        if not self.blocking:
            self.owner_path.write_text(str(os.getpid()))

    def release(self) -> None:
        """Free the lock; without effect if it is not held."""
        if self._lock.is_locked:
            if not self.blocking:
                self.owner_path.unlink(missing_ok=True)
            self._lock.release()

    @property
    def is_held(self) -> bool:
        """Whether any process holds the lock, this one included."""
        if self._lock.is_locked:
            return True
        if not self.path.exists():
            return False
        try:
            with FileLock(self.path, blocking=False)._lock.acquire(blocking=False):
                return False
        except PermissionError:
            # A lock that this user cannot write cannot be probed.
            return self.owner is not None
        except TimeoutError:  # of which filelock.Timeout is a subclass
            return True

    @property
    def owner(self) -> int | None:
        """Process id of the holder of a non-blocking lock; None if it is unknown.

        A process that was killed leaves its id behind, so check :attr:`is_held` first.
        """
        with suppress(OSError, ValueError):
            return int(self.owner_path.read_text())
        return None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
