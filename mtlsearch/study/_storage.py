"""Where the study is kept: a journal file in the run directory, or any storage URL."""

from __future__ import annotations

import fcntl
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


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """The storage at ``url``, or the journal file where there is none.

    Args:
        url: one of Optuna's; a relative SQLite file stands beside the journal, so that it
            is found again from any working directory.
        journal: the file to keep the study in where there is no URL.

    Raises:
        RunError: the URL cannot be opened.
    """
    if url is None:
        lock = _KernelLock(journal.with_suffix(".lock"))
        return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))
    require_storage(url)
    with _explained(url):
        return optuna.storages.get_storage(_from_folder(url, journal.parent))


def require_storage(url: str | None) -> None:
    """Be sure that a storage URL is one, of a database that can be spoken to; opens none.

    Raises:
        RunError: it is no URL, its password is hidden, or what speaks to such a database is not
            installed.
    """
    if url is not None:
        if is_hidden(url):
            raise RunError(
                "the password of the storage is not kept with the run",
                where=f"search.storage: {url}",
                next_step=f"give it in the environment variable {STORAGE_PASSWORD}",
            )
        with _explained(url):
            from sqlalchemy import create_engine

            create_engine(url)  # connects when it is used


@contextmanager
def _explained(url: str) -> Iterator[None]:
    # Optuna's URLs are SQLAlchemy's, whose errors pass through; importing it takes time.
    from sqlalchemy.exc import SQLAlchemyError

    faults = (ImportError, ValueError, OSError, SQLAlchemyError, StorageInternalError)
    try:
        yield
    except faults as error:
        raise RunError(
            f"the storage cannot be opened: {str(error).partition(chr(10))[0]}",
            where=f"search.storage: {hide_password(url)}",
            next_step="see Optuna's storage URLs, such as sqlite:///study.db; null keeps a "
            "journal file in the run directory",
        ) from error


def would_create_file(url: str | None, journal: Path) -> bool:
    """Whether opening the storage would only make a file that is not there, where it may.

    Who may yet be refused leaves that for later; any other storage is opened to know whether it
    answers. A file that was made could not be taken away again: others may have begun in it.

    Raises:
        RunError: the URL is none.
    """
    require_storage(url)
    if url is None:
        return True
    file = _sqlite_file(url, journal.parent)
    return file is not None and not file.exists() and os.access(file.parent, os.W_OK)


def _from_folder(url: str, folder: Path) -> str:
    """The URL with the path of a relative SQLite file made absolute."""
    from sqlalchemy.engine import make_url

    file = _sqlite_file(url, folder)
    return url if file is None else make_url(url).set(database=str(file)).render_as_string()


def _sqlite_file(url: str, folder: Path) -> Path | None:
    """The file of an SQLite URL; None where it is another one, or in memory."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    file = parsed.database
    if parsed.get_backend_name() != "sqlite" or not file or file == ":memory:":
        return None
    return folder.resolve() / file


def truncate_partial_line(journal: Path) -> None:
    """Cut off a last line that a kill left half written; what stands before it is whole.

    Only for whoever holds the run's lock: another's line may be half written just now.
    """
    if not journal.exists():
        return
    content = journal.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with journal.open("r+b") as file:
            file.truncate(whole)


class _KernelLock(JournalFileOpenLock):
    """A lock that the kernel lets go of when its process dies, however it dies.

    Optuna's own is a file that a killed process leaves behind for half a minute.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
