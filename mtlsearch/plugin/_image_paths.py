"""Paths of images below a folder."""

from __future__ import annotations

from pathlib import Path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".npy")
"""Suffixes of images in lower case; other files of a folder are not images of a data set."""


def list_images(folder: Path) -> list[Path]:
    """Return the images in a folder and in the folders below.

    Args:
        folder: the folder.

    Returns:
        Sorted paths of files with one of :data:`IMAGE_SUFFIXES`, in any case. Hidden files and
        folders are omitted; their names begin with a dot or are ``__MACOSX``.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not any(_is_hidden(part) for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
