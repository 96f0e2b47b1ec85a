"""The folder in which resized images are kept from run to run."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from mtlsearch.config import DataConfig
from mtlsearch.data.cache._split_file import CachedSplit
from mtlsearch.errors import DataError
from mtlsearch.labels import LabelSpec

CACHE = "MTLSEARCH_CACHE"
"""The environment variable that says where ``data.cache: auto`` is."""


def cache_folder(config: DataConfig) -> Path | None:
    """Where resized images are kept; None where they are kept in memory only."""
    if config.cache != "auto":
        return config.cache
    own, user = os.environ.get(CACHE), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own)
    return (Path(user) if user else Path.home() / ".cache") / "mtlsearch"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """Where one split of one kind is kept, or will be.

    It is there whole or not at all: it is written beside itself and renamed. One process at
    a time writes; the kernel lets the next one in however the first one ends.

    Attributes:
        folder: the folder that its files are in.
        labels: all labels of the run.
        count: how many rows it has.
    """

    folder: Path
    labels: Mapping[str, LabelSpec]
    count: int

    def open(self) -> CachedSplit | None:
        """What is kept, or None where nothing is or it is damaged."""
        try:
            found = CachedSplit(self.folder, self.labels)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        return found if len(found) == self.count else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until no one else writes it, and keep others from it.

        Raises:
            DataError: nothing can be written there.
        """
        with explained(self.folder.parent):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            # Loading processes hold the descriptor too; closing it here would not let go.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def begin(self) -> Path:
        """An empty folder to write to; only with the lock held."""
        partial = self.folder.with_suffix(".partial")
        with explained(self.folder.parent):
            shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
            partial.mkdir()
        return partial

    def publish(self, partial: Path) -> None:
        """Give what was written its name; only with the lock held."""
        with explained(self.folder.parent):
            shutil.rmtree(self.folder, ignore_errors=True)
            partial.rename(self.folder)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """A disk that refuses, as an error that says what to do.

    Raises:
        DataError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"resized images cannot be kept: {error.strerror or error}",
            where=str(folder),
            next_step="name a folder with room by `--set data.cache=DIR`, or keep them in memory "
            "by `--set data.cache=null`",
        ) from error
