"""Fingerprint of a split: a digest of everything that determines its prepared samples."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import PIL

from mtlsearch.config import SourceEntry
from mtlsearch.data._images import Images
from mtlsearch.images import PixelFormat
from mtlsearch.plugin import DatasetSource

_DATA_PACKAGE = Path(__file__).resolve().parents[1]
_IMAGES_PACKAGE = Path(inspect.getfile(PixelFormat)).parent


def fingerprint(images: Images, split: str, sources: Sequence[SourceEntry]) -> str | None:
    """Compute a digest that changes if a prepared sample of a split can change.

    It covers the images and their order; path, size and modification time of each file that
    they are read from; settings and labels of the sources; the pixel format; the size after
    resizing; and the code that reads and resizes.

    Args:
        images: the images of a run.
        split: one of its splits.
        sources: the sources' settings in the run file.

    Returns:
        32 hexadecimal digits; None if an image does not come from files, because its changes
        cannot be detected.
    """
    code = [_code_digest(type(source)) for source in images.sources]
    if None in code:
        return None
    digest = hashlib.sha256()
    facts = {
        "code": code,
        "pillow": PIL.__version__,
        "settings": [source.model_dump(mode="json") for source in sources],
        "labels": [[repr(item) for item in source.labels.items()] for source in images.sources],
        "size": images.prepared_size[split],
        "pixel_format": [images.pixel_format.channels, images.pixel_format.pixel_range],
    }
    digest.update(json.dumps(facts, sort_keys=True).encode())
    state_by_file: dict[Path, tuple[str, int, int]] = {}
    for ref in images.splits[split]:
        files = images.sources[ref.source].files(ref.split, ref.index)
        if files is None:
            return None
        for file in files:
            if file not in state_by_file:
                state_by_file[file] = _file_state(file)
        row = [ref.source, ref.split, ref.index, *(state_by_file[file] for file in files)]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:32]


def _file_state(file: Path) -> tuple[str, int, int]:
    """Return path, size and modification time; -1 for a file that does not exist."""
    try:
        status = file.stat()
    except OSError:
        return str(file), -1, -1
    return str(file), status.st_size, status.st_mtime_ns


def _code_digest(source: type[DatasetSource]) -> str | None:
    """Return a digest of the code that reads a source and prepares its samples.

    A version number is easily forgotten when a plugin changes, so the digest covers the text
    of all files in the packages of the source's classes, of this package and of the reader. It
    is None for a class without a file, such as one defined at a prompt.
    """
    digest = hashlib.sha256()
    files = {*_DATA_PACKAGE.rglob("*.py"), *_IMAGES_PACKAGE.glob("*.py")}
    for base in source.__mro__:
        if base.__module__ in ("builtins", "abc", "typing"):
            continue
        try:
            file = Path(inspect.getfile(base))
        except (OSError, TypeError):
            return None
        is_in_package = bool(getattr(sys.modules.get(base.__module__), "__package__", ""))
        files |= set(file.parent.glob("*.py")) if is_in_package else {file}
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()
