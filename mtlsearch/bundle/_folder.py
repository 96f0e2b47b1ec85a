"""Files of a bundle and their checksums."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mtlsearch.bundle._manifest import FORMAT, MANIFEST, FileEntry, Manifest
from mtlsearch.errors import ExportError

GRAPH = "model.onnx"
GRAPH_WEIGHTS = "model.safetensors"
"""Weights of a graph of more than 2 GiB; in smaller bundles, :data:`GRAPH` contains them."""
PROGRAM = "model.pt2"
WEIGHTS = "weights.safetensors"
CARD = "README.md"
RUNNER = "predict.py"
MODULES = "mtlsearch.zip"
"""Archive of the modules that :data:`RUNNER` imports."""

MAX_BYTES = 2**25
"""Largest size of a manifest; those of the largest networks have a thousandth of it."""

WEB = "web"
"""Folder of the page that runs the network in a browser."""

SEAL = "sha256"
"""Key of ``bundle.json`` with the checksum of its other keys."""


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
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.get("format") == FORMAT


def seal(value: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object with the key ``sha256``: the checksum of its other keys.

    An edited ``bundle.json`` can be opened, but an export does not replace it.

    Args:
        value: the JSON form of a manifest.

    Returns:
        The object with the checksum as its last key.
    """
    content = {key: item for key, item in value.items() if key != SEAL}
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return {**content, SEAL: hashlib.sha256(text.encode()).hexdigest()}


def foreign_files(folder: Path) -> list[str]:
    """Return the files in a bundle that are not as the export wrote them.

    Args:
        folder: folder of a bundle.

    Returns:
        Names of changed files, of further files, folders and links. All names if the manifest
        is invalid.
    """
    names = sorted(path.name for path in folder.iterdir())
    path = folder / MANIFEST
    try:
        manifest = read_manifest(folder)
    except ExportError:
        return names
    value = json.loads(path.read_text(encoding="utf-8"))
    unchanged = {
        name for name, entry in manifest.files.items() if _is_unchanged(folder / name, entry)
    }
    if not path.is_symlink() and seal(value) == value:
        unchanged.add(MANIFEST)
    page = folder / WEB
    if manifest.web and page.is_dir() and not page.is_symlink():
        unchanged.add(WEB)
        pages = {
            file.name: file.name in manifest.web and _is_unchanged(file, manifest.web[file.name])
            for file in page.iterdir()
        }
        names += [f"{WEB}/{name}" for name, is_same in sorted(pages.items()) if not is_same]
    return [name for name in names if name not in unchanged]


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
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ExportError(
            f"{MANIFEST} cannot be read: {error}",
            where=str(path),
            next_step="copy the whole folder again, or export the bundle again",
        ) from error
    return Manifest.from_json(text, str(path))


def _is_unchanged(path: Path, entry: FileEntry) -> bool:
    return path.is_file() and not path.is_symlink() and digest_of(path) == entry


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
