"""The journal: a file with one JSON entry per line, which several processes append to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from mtlsearch.errors import InfrastructureError, RunError, infrastructure_error_of
from mtlsearch.files import FileLock

BLOCK_SIZE = 2**16
"""Bytes that are read at once to find the last complete line."""


def open_journal(path: Path, *, has_params: bool = True) -> JournalStorage:
    """Open a journal; create an empty one if it does not exist.

    Args:
        path: the file.
        has_params: whether the trials have their params, which take nearly half of the time.
            Nothing may be written to a storage without them.

    Returns:
        An Optuna storage.

    Raises:
        RunError: a line is damaged, or Optuna rejects its entry.
    """
    backend = JournalFile(path, has_params=has_params)
    try:
        return JournalStorage(backend)
    except (AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Optuna reads all entries here and expects their keys and types.
        raise damaged_journal(path, backend.last_line, _describe(error)) from error


def damaged_journal(path: Path, number: int, what: str) -> RunError:
    """Return the error about a line that cannot be read.

    Args:
        path: the journal.
        number: number of the line, from 1.
        what: the damage.

    Returns:
        The error, with the command that repairs the journal.
    """
    return RunError(
        f"the journal is damaged: line {number} {what}",
        where=f"{path}:{number}",
        next_step=f"run `mtlsearch repair {path.parent}`, which keeps all other lines, or restore "
        "the file from a backup",
    )


def parse_entry(line: bytes) -> dict[str, Any] | None:
    """Return the entry of a complete line; None if it is damaged."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_entry = isinstance(entry, dict) and {"op_code", "worker_id"} <= entry.keys()
    return entry if is_entry else None


def truncate_partial_line(journal: Path) -> None:
    """Remove an incomplete last line, which a killed process left in a journal.

    Args:
        journal: journal file; it may be missing.
    """
    if journal.exists():
        with journal.open("r+b") as file:
            _truncate_partial_line(file)


def _truncate_partial_line(file: BinaryIO) -> int:
    """Remove an incomplete last line and return the new size in bytes."""
    size = end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - BLOCK_SIZE)
        file.seek(start)
        if (index := file.read(end - start).rfind(b"\n")) >= 0:
            end = start + index + 1
            break
        end = start
    if end < size:
        file.truncate(end)
    return end


class JournalFile(BaseJournalBackend):
    """Journal that a killed writer, a full disk and a deleted folder leave readable.

    Each append holds a lock that is free as soon as its process ends, and removes what an earlier
    writer left of an incomplete line. A line that cannot be written completely is removed again.

    Args:
        path: the file; an empty one is created if it does not exist.
        has_params: whether the entries of new trials contain params and distributions.

    Attributes:
        last_line: number of the line that was read last, from 1.
    """

    def __init__(self, path: Path, *, has_params: bool = True) -> None:
        self._path = path
        self._has_params = has_params
        self._lock = FileLock(path.with_suffix(".lock"))
        self._offset_by_number = {0: 0}
        self.last_line = 0
        if not path.exists():
            path.touch()
        self._identity = path.stat().st_ino

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Read complete lines.

        Args:
            log_number_from: number of the first line, from 0.

        Yields:
            The entries.

        Raises:
            InfrastructureError: the file was deleted or replaced.
            RunError: a line is damaged.
        """
        self._require_same_file()
        offset = self._offset_by_number[log_number_from]
        with self._path.open("rb") as file:
            file.seek(offset)
            for number, line in enumerate(file, start=log_number_from):
                if not line.endswith(b"\n"):  # another process is writing it, or was killed
                    return
                offset += len(line)
                self._offset_by_number[number + 1] = offset
                self.last_line = number + 1
                if (entry := parse_entry(line)) is None:
                    raise damaged_journal(self._path, number + 1, "is not an entry of Optuna")
                if not self._has_params:
                    entry.pop("params", None)
                    entry.pop("distributions", None)
                yield entry

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append entries and flush them to the disk.

        Args:
            logs: the entries.

        Raises:
            InfrastructureError: the file was deleted or replaced, or cannot be written.
        """
        lines = [json.dumps(log, separators=(",", ":")) + "\n" for log in logs]
        self._require_same_file()  # taking the lock would create the folder again
        try:
            with self._lock, self._path.open("r+b", buffering=0) as file:
                _append(file, "".join(lines).encode())
        except OSError as error:
            if (failure := infrastructure_error_of(error)) is None:
                raise
            failure.where = str(self._path)
            raise failure from error

    def _require_same_file(self) -> None:
        try:
            is_same = self._path.stat().st_ino == self._identity
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise InfrastructureError(
                "the journal was deleted or replaced during the search",
                where=str(self._path),
                next_step="restore the run directory and run the same command to resume, or start "
                "again with another --out",
            )


def _append(file: Any, content: bytes) -> None:
    end = _truncate_partial_line(file)
    file.seek(end)
    try:
        written = 0
        while written < len(content):  # a disk that is nearly full takes a part
            written += file.write(content[written:])
        os.fsync(file.fileno())
    except OSError:
        file.truncate(end)
        raise


def _describe(error: Exception) -> str:
    return f"is rejected by Optuna ({type(error).__name__}{': ' if str(error) else ''}{error})"
