"""Cache entries: folders with the prepared samples of one split."""

from __future__ import annotations

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
from mtlsearch.files import FileLock
from mtlsearch.labels import LabelSpec

CACHE = "MTLSEARCH_CACHE"
"""Environment variable with the folder for ``data.cache: auto``."""


def cache_folder(config: DataConfig) -> Path | None:
    """Return the folder of all cache entries.

    Args:
        config: the ``data`` section of the run file.

    Returns:
        ``data.cache``; for ``auto`` the folder in ``MTLSEARCH_CACHE`` or the user's cache
        folder; None if samples stay in memory.
    """
    if config.cache != "auto":
        return config.cache
    chosen, user_cache = os.environ.get(CACHE), os.environ.get("XDG_CACHE_HOME")
    if chosen:
        return Path(chosen)
    return (Path(user_cache) if user_cache else Path.home() / ".cache") / "mtlsearch"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """Folder for the prepared samples of one split, which may not exist yet.

    The folder exists completely or not at all: a temporary folder is written and then renamed.
    One process at a time writes. The operating system frees its lock even if it is killed.

    Attributes:
        folder: the folder.
        labels: all labels of the run.
        num_samples: number of images in the split.
    """

    folder: Path
    labels: Mapping[str, LabelSpec]
    num_samples: int

    def open(self) -> CachedSplit | None:
        """Open the files of the entry.

        Returns:
            The samples; None if the files do not exist or are damaged.
        """
        try:
            cached = CachedSplit(self.folder, self.labels)
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        return cached if len(cached) == self.num_samples else None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock for writing; wait until other processes release it.

        Yields:
            Nothing.

        Raises:
            DataError: the folder is not writable.
        """
        lock = FileLock(self.folder.with_suffix(".lock"))
        with translate_disk_errors(self.folder.parent):
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def create_temp(self) -> Path:
        """Create an empty temporary folder; requires the lock.

        Returns:
            The folder.

        Raises:
            DataError: the folder is not writable.
        """
        temporary = self.folder.with_suffix(".partial")
        with translate_disk_errors(self.folder.parent):
            shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
            temporary.mkdir()
        return temporary

    def commit(self, temporary: Path) -> None:
        """Rename a finished temporary folder to the entry's folder; requires the lock.

        Args:
            temporary: the folder from :meth:`create_temp`.

        Raises:
            DataError: the folder is not writable.
        """
        with translate_disk_errors(self.folder.parent):
            shutil.rmtree(self.folder, ignore_errors=True)
            temporary.rename(self.folder)


@contextmanager
def translate_disk_errors(folder: Path) -> Iterator[None]:
    """Raise a DataError with a next step in place of an OSError.

    Args:
        folder: the folder that is written, for the message.

    Yields:
        Nothing.

    Raises:
        DataError: the block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"resized images cannot be stored: {error.strerror or error}",
            where=str(folder),
            next_step="set `data.cache` to a folder with free space, or keep the images in memory "
            "with `--set data.cache=null`",
        ) from error
