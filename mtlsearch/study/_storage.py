"""The storage of the study: a journal file in the run directory, or a storage URL."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from mtlsearch.config import STORAGE_PASSWORD, hide_password, is_hidden
from mtlsearch.errors import RunError
from mtlsearch.files import FileLock


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """Open the storage at a URL, or the journal file without one.

    Args:
        url: storage URL of Optuna, such as ``sqlite:///study.db``. A relative SQLite file is
            in the folder of the journal, independent of the working directory.
        journal: journal file for a study without a URL.

    Returns:
        An Optuna storage.

    Raises:
        RunError: the storage cannot be opened, its password is missing, or a line of the
            journal is damaged.
    """
    if url is None:
        _require_readable(journal)
        lock = _JournalLock(journal.with_suffix(".lock"))
        try:
            return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # Optuna reads all entries here and expects their keys and types.
            what = f"an entry of Optuna is invalid ({type(error).__name__}: {error})"
            raise _damaged(what, str(journal)) from error
    require_storage(url)
    with _translated_errors(url):
        return optuna.storages.get_storage(_with_absolute_file(url, journal.parent))


def _require_readable(journal: Path) -> None:
    """Check that each complete line of a journal is a JSON object.

    Optuna ignores an incomplete last line. Empty lines and other damage stop it.
    """
    if not journal.is_file():
        return
    with journal.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n") and not _is_entry(line):
                raise _damaged(f"line {number} is not an entry of Optuna", f"{journal}:{number}")


def _damaged(what: str, where: str) -> RunError:
    return RunError(
        f"the journal is damaged: {what}",
        where=where,
        next_step="restore the file from a backup, or set --out to another folder for a new search",
    )


def _is_entry(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and {"op_code", "worker_id"} <= entry.keys()


def require_storage(url: str | None) -> None:
    """Check a storage URL and its database driver, without a connection.

    Args:
        url: value of ``search.storage``; None for the journal file.

    Raises:
        RunError: the URL is invalid, its password is missing, or the driver is not installed.
    """
    if url is not None:
        if is_hidden(url):
            raise RunError(
                "the password of the storage is missing, run.yaml does not contain it",
                where=f"search.storage: {url}",
                next_step=f"set the environment variable {STORAGE_PASSWORD}",
            )
        with _translated_errors(url):
            from sqlalchemy import create_engine

            create_engine(url)  # Connects at its first use.


@contextmanager
def _translated_errors(url: str) -> Iterator[None]:
    # Optuna passes the URL and errors of SQLAlchemy through, whose import is slow.
    from sqlalchemy.exc import SQLAlchemyError

    errors = (ImportError, ValueError, OSError, SQLAlchemyError, StorageInternalError)
    try:
        yield
    except ModuleNotFoundError as error:
        raise RunError(
            f"the database driver {error.name} of the storage is not installed",
            where=f"search.storage: {hide_password(url)}",
            next_step=f"install the driver: pip install {error.name}",
        ) from error
    except errors as error:
        raise RunError(
            f"the storage cannot be opened: {str(error).partition(chr(10))[0]}",
            where=f"search.storage: {hide_password(url)}",
            next_step="set an Optuna storage URL, such as sqlite:///study.db, or null for a "
            "journal file in the run directory",
        ) from error


def would_create_file(url: str | None, journal: Path) -> bool:
    """Return True if opening the storage would only create a local file.

    A search opens such a storage after all checks, so that a failed check leaves no file
    behind. It opens every other storage first, to check the connection.

    Args:
        url: storage URL; None for the journal file.
        journal: journal file of the run.

    Returns:
        True without a URL, or for a new SQLite file in a writable folder.

    Raises:
        RunError: the URL is invalid.
    """
    require_storage(url)
    if url is None:
        return True
    file = _sqlite_file(url, journal.parent)
    return file is not None and not file.exists() and os.access(file.parent, os.W_OK)


def _with_absolute_file(url: str, folder: Path) -> str:
    """Return the URL with the path of a relative SQLite file made absolute."""
    from sqlalchemy.engine import make_url

    file = _sqlite_file(url, folder)
    return url if file is None else make_url(url).set(database=str(file)).render_as_string()


def _sqlite_file(url: str, folder: Path) -> Path | None:
    """Return the file of an SQLite URL; None for other databases and in memory."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    file = parsed.database
    if parsed.get_backend_name() != "sqlite" or not file or file == ":memory:":
        return None
    return folder.resolve() / file


def truncate_partial_line(journal: Path) -> None:
    """Remove an incomplete last line, which a killed process left in a journal.

    Optuna ignores such a line when it reads, but raises an error after the next append. Call
    this only with the lock of the run directory: another process may be writing a line.

    Args:
        journal: journal file; it may be missing.
    """
    if not journal.exists():
        return
    content = journal.read_bytes()
    num_complete = content.rfind(b"\n") + 1
    if num_complete < len(content):
        with journal.open("r+b") as file:
            file.truncate(num_complete)


class _JournalLock(JournalFileOpenLock):
    """Lock of a journal file that is free as soon as its process ends.

    Optuna's own lock is a file that a killed process leaves behind for 30 seconds.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()
