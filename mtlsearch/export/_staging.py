"""A folder that is complete when it appears, or does not appear."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mtlsearch.bundle import foreign_files, is_bundle
from mtlsearch.errors import ExportError

MAX_NAMES = 3
"""Number of files that a message lists."""


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to ``out`` if the block raises no error.

    An existing bundle is replaced at that moment. It stays unchanged if the block fails.

    Args:
        out: the folder to create or replace.

    Yields:
        An empty folder next to ``out``, on the same file system.

    Raises:
        ExportError: ``out`` exists and is not an unchanged bundle.
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
    """Check that a path is free, an empty folder or an unchanged bundle.

    Args:
        out: the folder of a bundle to write.

    Raises:
        ExportError: it is anything else.
    """
    if not os.path.lexists(out):
        return
    if Path.cwd().is_relative_to(out.resolve()):
        raise ExportError(
            "a bundle cannot replace the working directory",
            where=str(out.resolve()),
            next_step="set --out to a new folder in it, or run the command in another folder",
        )
    what = "the output path exists and is not a bundle"
    if out.is_dir() and not out.is_symlink():
        if not any(out.iterdir()):
            return
        if is_bundle(out):
            if not (foreign := foreign_files(out)):
                return
            num_more = len(foreign) - MAX_NAMES
            more = f" and {num_more} more" if num_more > 0 else ""
            what = (
                "the bundle contains files that the export did not write, or that were changed: "
                f"{', '.join(foreign[:MAX_NAMES])}{more}"
            )
    raise ExportError(
        what,
        where=str(out),
        allowed=["a new folder", "an empty folder", "an unchanged bundle, which is replaced"],
        next_step="set --out to another folder, or move this one",
    )
