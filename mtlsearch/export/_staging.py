"""A folder that is complete when it appears, or does not appear."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtlsearch.bundle import is_bundle
from mtlsearch.errors import ExportError


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to ``out`` if the block raises no error.

    An existing bundle is replaced at that moment. It stays unchanged if the block fails.

    Args:
        out: the folder to create or replace.

    Yields:
        An empty folder next to ``out``, on the same file system.

    Raises:
        ExportError: ``out`` exists and is not a bundle.
    """
    require_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        yield new
        if out.exists():
            out.rename(Path(scratch) / "old")
        new.rename(out)


def require_replaceable(out: Path) -> None:
    """Check that a path is free, an empty folder or a bundle.

    Args:
        out: the folder of a bundle to write.

    Raises:
        ExportError: it is anything else.
    """
    if not out.exists() or (out.is_dir() and (is_bundle(out) or not any(out.iterdir()))):
        return
    raise ExportError(
        "the output path exists and is not a bundle",
        where=str(out),
        allowed=["a new folder", "an empty folder", "an existing bundle, which is replaced"],
        next_step="set --out to another folder",
    )
