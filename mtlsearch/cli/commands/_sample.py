"""``mtlsearch sample``."""

from __future__ import annotations

from itertools import chain
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
    """Write a few images of the data as PNG files, to test a bundle.

    No image of the data and no other file of yours is replaced.
    """
    from mtlsearch.errors import DataError
    from mtlsearch.files import Outputs

    options = GlobalOptions.of(ctx)
    resolved = open_run(file, options, overrides or ())
    sources = resolved.open_sources()
    rows = [(source, index) for source in sources for index in range(source.size(split))]
    if not rows:
        raise DataError(f"split {split!r} has no images", where=str(file))
    rows = rows[:count]
    paths = [out / f"{split}-{number:03d}.png" for number in range(len(rows))]
    read = (source.files(split, index) or () for source, index in rows)
    outputs = Outputs("sample", inputs=chain.from_iterable(read))
    outputs.check(dict.fromkeys(paths))
    for path, (source, index) in zip(paths, rows, strict=True):
        save_picture(source.read(split, index).image, path, outputs)
        options.console.print(str(path))
