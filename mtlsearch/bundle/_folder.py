"""Files of a bundle and their checksums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mtlsearch.bundle._manifest import FORMAT, MANIFEST, FileEntry, Manifest
from mtlsearch.errors import ExportError

GRAPH = "model.onnx"
PROGRAM = "model.pt2"
WEIGHTS = "weights.safetensors"
CARD = "README.md"


def digest_of(path: Path) -> FileEntry:
    """Return the checksum and the size of a file.

    Args:
        path: the file.

    Returns:
        SHA-256 and size in bytes.
    """
    with path.open("rb") as file:
        return FileEntry(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def is_bundle(folder: Path) -> bool:
    """Return whether a folder contains the ``bundle.json`` of an mtlsearch bundle.

    Args:
        folder: any path.

    Returns:
        False also if the folder does not exist.
    """
    try:
        value = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and value.get("format") == FORMAT


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a bundle.

    Args:
        folder: folder of the bundle.

    Returns:
        The validated manifest.

    Raises:
        ExportError: the folder is not a bundle, or its manifest is invalid.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ExportError(
            "this folder is not a bundle",
            where=str(folder),
            allowed=[f"a folder with a {MANIFEST}"],
            next_step="`mtlsearch export RUN --out BUNDLE` writes one",
        )
    return Manifest.from_json(path.read_text(encoding="utf-8"), str(path))


def check_files(folder: Path, manifest: Manifest) -> None:
    """Check that every file of a bundle exists and matches its checksum.

    The checksums are part of the bundle. They detect damage, not manipulation.

    Args:
        folder: folder of the bundle.
        manifest: its manifest.

    Raises:
        ExportError: a file is missing, a link or changed.
    """
    if GRAPH not in manifest.files:
        raise ExportError(
            f"`files` lacks {GRAPH}",
            where=str(folder / MANIFEST),
            next_step="export the bundle again with `mtlsearch export`",
        )
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.is_symlink():
            raise ExportError(
                f"{name} is missing from the bundle",
                where=str(path),
                next_step="copy the whole folder again, or export the bundle again",
            )
        if digest_of(path) != entry:
            raise ExportError(
                f"{name} was changed after the export: its SHA-256 differs",
                where=str(path),
                next_step="copy the whole folder again, or export the bundle again",
            )
