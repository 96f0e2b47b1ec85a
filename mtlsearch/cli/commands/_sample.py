"""``mtlsearch sample``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mtlsearch.cli._context import open_run
from mtlsearch.cli._global_options import Shell
from mtlsearch.cli._options import Overrides, RunFile
from mtlsearch.cli._picture import save_picture


def sample(
    ctx: typer.Context,
    file: RunFile,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write them.")],
    split: Annotated[Literal["train", "val", "test"], typer.Option(help="Which images.")] = "test",
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 4,
    overrides: Overrides = None,
) -> None:
    """Write a few images of a run's data as PNG files, to try a bundle on."""
    from mtlsearch.errors import DataError

    shell = Shell.of(ctx)
    resolved = open_run(file, shell, overrides or ())
    sources = resolved.open_sources()
    rows = [(source, index) for source in sources for index in range(source.size(split))]
    if not rows:
        raise DataError(f"there is no image in the split {split!r}", where=str(file))
    for number, (source, index) in enumerate(rows[:count]):
        path = out / f"{split}-{number:03d}.png"
        save_picture(source.read(split, index).image, path)
        shell.console.result(str(path))
