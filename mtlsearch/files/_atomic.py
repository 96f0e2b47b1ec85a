"""Atomic write: a reader never sees a partial file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtlsearch.errors import infrastructure_error_of


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` and rename it to ``path`` on success.

    If the block raises, ``path`` keeps its previous content and the temporary file is removed.

    Args:
        path: the file to write; its parent folders are created.

    Yields:
        The path to write to, with the suffix of ``path``.

    Raises:
        OSError: the file cannot be written; the error contains ``path``, not the temporary one.
        InfrastructureError: a library reports a full disk by an error of its own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    except Exception as error:
        if (failure := infrastructure_error_of(error)) is None or failure is error:
            raise
        failure.where = str(path)
        raise failure from error
