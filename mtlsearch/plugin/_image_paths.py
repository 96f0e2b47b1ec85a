"""Paths of images below a folder."""

from __future__ import annotations

from pathlib import Path

from mtlsearch.files import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from mtlsearch.files import require_below_root, unchanged_outputs


def list_images(folder: Path) -> list[Path]:
    """Return the images in a folder and in the folders below.

    Args:
        folder: the folder.

    Returns:
        Sorted paths of files with one of :data:`IMAGE_SUFFIXES`, in any case. Hidden files and
        folders are omitted; their names begin with a dot or are ``__MACOSX``. So are unchanged
        pictures that a command such as ``mtlsearch predict`` wrote there.

    Raises:
        DataError: the folder leaves the data root.
    """
    require_below_root(folder, str(folder))
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(_is_hidden(part) for part in path.relative_to(folder).parts)
        and path.is_file()
    )
    folders = dict.fromkeys(path.parent for path in paths)
    outputs = {path for parent in folders for path in unchanged_outputs(parent)}
    return [path for path in paths if path not in outputs]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
