"""Names of files: equal on some disk, different on every disk, and of run directories."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".npy")
"""Suffixes of images in lower case; other files of a folder are not images of a data set."""


def name_key(name: str) -> str:
    """Return a value that is equal for names that are one file on some disk.

    Disks of macOS and Windows ignore the case, those of macOS also the Unicode form.

    Args:
        name: name of a file.

    Returns:
        The name in one case and one Unicode form.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def default_run_folder(file: Path) -> Path:
    """Return the run directory of a run file for which no folder is given.

    Args:
        file: the run file.

    Returns:
        ``results/my-run`` for ``my-run/run.yaml``, ``results/scenes`` for ``examples/scenes.yaml``.
    """
    return Path("results") / (file.resolve().parent.name if file.stem == "run" else file.stem)


def unique_stems(stems: Iterable[str], suffixes: Sequence[str]) -> list[str]:
    """Return stems with which no two files have the same name, on any disk.

    Args:
        stems: wanted start of the names of each group of files.
        suffixes: end of the names; each group has one file per suffix.

    Returns:
        One stem per group: the wanted one, or with a number, such as ``street-2``.
    """
    taken: set[str] = set()
    unique = []
    for wanted in stems:
        stem, number = wanted, 1
        while taken & (keys := {name_key(stem + suffix) for suffix in suffixes}):
            number += 1
            stem = f"{wanted}-{number}"
        taken |= keys
        unique.append(stem)
    return unique
