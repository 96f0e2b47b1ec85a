"""What the kept samples of a split are made from, as one short text."""

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
from mtlsearch.plugin import DatasetSource


def fingerprint(images: Images, split: str, entries: Sequence[SourceEntry]) -> str | None:
    """A digest that changes with whatever changes a kept sample of a split.

    That is: which images in which order, path, size and time of every file they are read
    from, the sources' settings and labels, the kept size, and the code that reads and resizes.

    Args:
        images: the images of a run.
        split: one of its splits.
        entries: the sources' settings in the run file.

    Returns:
        None where an image does not come from files, and so nobody knows when it changes.
    """
    code = [_code(type(source)) for source in images.sources]
    if None in code:
        return None
    digest = hashlib.sha256()
    facts = {
        "code": code,
        "pillow": PIL.__version__,
        "settings": [entry.model_dump(mode="json") for entry in entries],
        "labels": [[repr(at) for at in source.labels.items()] for source in images.sources],
        "size": images.kept_size[split],
    }
    digest.update(json.dumps(facts, sort_keys=True).encode())
    known: dict[Path, tuple[str, int, int]] = {}
    for address in images.splits[split]:
        files = images.sources[address.source].files(address.split, address.index)
        if files is None:
            return None
        for file in files:
            if file not in known:
                known[file] = _identity(file)
        row = [address.source, address.split, address.index, *(known[file] for file in files)]
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()[:32]


def _identity(file: Path) -> tuple[str, int, int]:
    """Path, size and time; a file that is missing may turn up later."""
    try:
        found = file.stat()
    except OSError:
        return str(file), -1, -1
    return str(file), found.st_size, found.st_mtime_ns


def _code(source: type[DatasetSource]) -> str | None:
    """A digest of the code that reads a source and keeps its samples.

    Whoever mends a plugin does not think of a version number, so its text is what counts:
    that of the whole package of each class the source is made of, and of this one.
    """
    digest = hashlib.sha256()
    files = set(Path(__file__).parent.glob("*.py"))
    for part in source.__mro__:
        if part.__module__ in ("builtins", "abc", "typing"):
            continue
        try:
            file = Path(inspect.getfile(part))
        except (OSError, TypeError):  # made at a prompt: nobody can say what it does
            return None
        inside = bool(getattr(sys.modules.get(part.__module__), "__package__", ""))
        files |= set(file.parent.glob("*.py")) if inside else {file}
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()
