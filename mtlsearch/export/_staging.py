"""A folder that appears whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtlsearch.bundle import is_bundle
from mtlsearch.errors import ExportError


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out`` that takes its place when the block ends well.

    A bundle that stands there already is replaced then, and stays if the block fails.

    Raises:
        ExportError: something that is no bundle stands there.
    """
    refuse_other(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        fresh = Path(scratch) / "new"
        fresh.mkdir()
        yield fresh
        if out.exists():
            out.rename(Path(scratch) / "old")
        fresh.rename(out)


def refuse_other(out: Path) -> None:
    """Refuse a place where something other than a bundle stands.

    Raises:
        ExportError: it does.
    """
    if not out.exists() or (out.is_dir() and (is_bundle(out) or not any(out.iterdir()))):
        return
    raise ExportError(
        "something that is no bundle stands here already",
        where=str(out),
        allowed=["a new folder", "an empty one", "an older bundle, which is replaced"],
        next_step="choose another folder with --out",
    )
