"""``mtlsearch sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mtlsearch.cli._context import open_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import Overrides, RunFile
from mtlsearch.cli._picture import save_picture


def sample(
    ctx: typer.Context,
    file: RunFile,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder.")],
    split: Annotated[
        Literal["train", "val", "test"],
        typer.Option(metavar="SPLIT", help="Split: train, val or test."),
    ] = "test",
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Number of images.")] = 4,
    overrides: Overrides = None,
) -> None:
    """Write a few images of the data as PNG files, to test a bundle."""
    from mtlsearch.errors import DataError

    options = GlobalOptions.of(ctx)
    resolved = open_run(file, options, overrides or ())
    sources = resolved.open_sources()
    rows = [(source, index) for source in sources for index in range(source.size(split))]
    if not rows:
        raise DataError(f"split {split!r} has no images", where=str(file))
    for number, (source, index) in enumerate(rows[:count]):
        path = out / f"{split}-{number:03d}.png"
        save_picture(source.read(split, index).image, path)
        options.console.print(str(path))
