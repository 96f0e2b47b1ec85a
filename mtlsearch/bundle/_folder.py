"""A bundle's folder: its files, and whether they are as they were written."""

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
    """SHA-256 and size of a file."""
    with path.open("rb") as file:
        return FileEntry(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds the ``bundle.json`` of an mtlsearch bundle."""
    try:
        value = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and value.get("format") == FORMAT


def read_manifest(folder: Path) -> Manifest:
    """What the bundle in a folder says of itself.

    Raises:
        ExportError: there is no bundle, or its ``bundle.json`` is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ExportError(
            "there is no bundle here",
            where=str(folder),
            allowed=[f"a folder with a {MANIFEST}"],
            next_step="`mtlsearch export RUN --out BUNDLE` writes one",
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(
            f"{MANIFEST} is no JSON: {error}",
            where=str(path),
            next_step="the bundle is damaged: export it again with `mtlsearch export`",
        ) from error
    return Manifest.from_json(value, str(path))


def check_files(folder: Path, manifest: Manifest) -> None:
    """See that every file of a bundle is there and as it was written.

    The sums stand in the bundle itself: they find damage, not a forger.

    Raises:
        ExportError: a file is missing or differs.
    """
    if GRAPH not in manifest.files:
        raise ExportError(
            f"the bundle lists no {GRAPH}",
            where=str(folder / MANIFEST),
            next_step="export it again with `mtlsearch export`",
        )
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.is_symlink():
            raise ExportError(
                f"{name} is missing from the bundle",
                where=str(path),
                next_step="copy the whole folder again, or export it again",
            )
        if digest_of(path) != entry:
            raise ExportError(
                f"{name} is not the file that was exported: its SHA-256 differs",
                where=str(path),
                next_step="copy the whole folder again, or export it again",
            )
