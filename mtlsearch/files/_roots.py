"""Folders that the paths in data files must not leave."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from mtlsearch.errors import DataError


class Roots:
    """Folders below which data files lie, and single files; they themselves may be links.

    >>> Roots(Path("/data")).contains(Path("/data/a/../../etc/passwd"))
    False

    Args:
        folders: the folders and files, at least one.
    """

    def __init__(self, *folders: Path) -> None:
        self.folders = tuple(dict.fromkeys(folders))
        # With the separator, /data2 is not below /data.
        self._prefixes = tuple(os.path.join(os.path.realpath(item), "") for item in self.folders)  # noqa: PTH118
        self._real_by_folder: dict[str, str] = {}

    def contains(self, path: Path) -> bool:
        """Return whether a path lies in one of the folders after all links are followed.

        Args:
            path: the path, which can be missing.

        Returns:
            False for a path that a link, ``..`` or an absolute path leads outside.
        """
        folder, name = os.path.split(path)
        if name in ("", "..") or os.path.islink(path):  # noqa: PTH114
            real = os.path.realpath(path)
        else:
            if folder not in self._real_by_folder:
                self._real_by_folder[folder] = os.path.realpath(folder)
            real = os.path.join(self._real_by_folder[folder], name)  # noqa: PTH118
        return os.path.join(real, "").startswith(self._prefixes)  # noqa: PTH118

    def require(self, path: Path, where: str) -> None:
        """Check that a path lies in one of the folders.

        Args:
            path: the path, which can be missing.
            where: place of the path in the data set, for messages.

        Raises:
            DataError: the path leaves the folders.
        """
        if self.contains(path):
            return
        target = os.path.realpath(path)
        is_link = target != os.path.abspath(path)  # noqa: PTH100
        raise DataError(
            f"the path {path}{f', which leads to {target},' if is_link else ''} leaves the data "
            "root",
            where=where,
            allowed=[
                str(item) if item.is_file() else f"paths below {item}" for item in self.folders
            ],
            next_step="move the file below this folder, or set `data.allow_outside_root: true` if "
            "you trust the data",
        )


_roots: ContextVar[Roots | None] = ContextVar("roots", default=None)


@contextmanager
def confine_reading(roots: Roots | None) -> Iterator[None]:
    """Make :func:`require_below_root` refuse paths outside of some folders.

    Args:
        roots: the folders; None allows every path.
    """
    token = _roots.set(roots)
    try:
        yield
    finally:
        _roots.reset(token)


def require_below_root(path: Path, where: str) -> None:
    """Check that a file may be read while the program opens a source.

    The program checks :meth:`DatasetSource.files` of all images after a source is opened. A source
    calls this before it opens other files, unless :func:`read_text`, :func:`read_xml` or
    :func:`list_images` reads them.

    Args:
        path: the file or folder, which can be missing.
        where: place of the path in the data set, for messages.

    Raises:
        DataError: the path leaves ``data.root`` and the source's root, by ``..``, as an absolute
            path or by a link, and ``data.allow_outside_root`` is not set.
    """
    roots = _roots.get()
    if roots is not None:
        roots.require(path, where)
