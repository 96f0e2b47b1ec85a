"""The storage of the study: a journal file in the run directory, or a storage URL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage

from mtlsearch.config import STORAGE_PASSWORD, hide_password, is_hidden
from mtlsearch.errors import RunError

PROXY = "grpc://"
"""Start of the URL of Optuna's gRPC proxy of a database."""


def open_storage(
    url: str | None,
    journal: Path,
    on_outage: Callable[[str], None] | None = None,
    *,
    has_params: bool = True,
) -> BaseStorage:
    """Open the storage at a URL, or the journal file without one.

    Args:
        url: storage URL of Optuna, such as ``sqlite:///study.db``. A relative SQLite file is
            in the folder of the journal, independent of the working directory.
        journal: journal file for a study without a URL.
        on_outage: called with a message before each further try when a database that was opened
            does not answer; None raises an error at once.
        has_params: whether a journal is read with the params of its trials. Nothing may be
            written to a storage without them.

    Returns:
        An Optuna storage. Its methods raise InfrastructureError if the database fails.

    Raises:
        RunError: the storage cannot be opened, its password is missing, or a line of the
            journal is damaged.
    """
    if url is None:
        from mtlsearch.study._journal import open_journal

        return open_journal(journal, has_params=has_params)
    require_storage(url)
    if url.startswith(PROXY):
        from mtlsearch.study._proxy import open_proxy

        return open_proxy(url, on_outage)
    with _translated_errors(url):
        from mtlsearch.study._database import open_database, with_installed_driver

        return open_database(
            with_installed_driver(_with_absolute_file(url, journal.parent)), on_outage
        )


def require_storage(url: str | None) -> None:
    """Check a storage URL and its database driver, without a connection.

    Args:
        url: value of ``search.storage``; None for the journal file.

    Raises:
        RunError: the URL is invalid, its password is missing, or the driver is not installed.
    """
    if url is not None and url.startswith(PROXY):
        from mtlsearch.study._proxy import require_proxy

        require_proxy(url)
    elif url is not None:
        if is_hidden(url):
            raise RunError(
                "the password of the storage is missing, run.yaml does not contain it",
                where=f"search.storage: {url}",
                next_step=f"set the environment variable {STORAGE_PASSWORD}",
            )
        with _translated_errors(url):
            from sqlalchemy import create_engine

            from mtlsearch.study._database import with_installed_driver

            create_engine(with_installed_driver(url))  # Connects at its first use.


def require_artifacts(url: str | None) -> None:
    """Check that the package for a bucket is installed, without a connection.

    Args:
        url: value of ``search.artifacts``; None for the run directory.

    Raises:
        RunError: boto3 is not installed.
    """
    if url is not None and find_spec("boto3") is None:
        raise RunError(
            "the package boto3, which opens the bucket of the artifacts, is not installed",
            where=f"search.artifacts: {url}",
            next_step="install it: pip install 'mtlsearch[s3]'",
        )


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
            next_step=f"install the driver: pip install {_package_of(error.name or '')}",
        ) from error
    except errors as error:
        raise RunError(
            f"the storage cannot be opened: {str(error).partition(chr(10))[0]}",
            where=f"search.storage: {hide_password(url)}",
            next_step="set an Optuna storage URL, such as sqlite:///study.db, or null for a "
            "journal file in the run directory",
        ) from error


def _package_of(module: str) -> str:
    from mtlsearch.study._database import PACKAGES

    return PACKAGES.get(module, module)


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
