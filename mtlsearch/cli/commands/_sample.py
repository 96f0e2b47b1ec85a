"""``mtlsearch sample``."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import typer

from mtlsearch.cli._context import open_run
from mtlsearch.cli._global_options import GlobalOptions
from mtlsearch.cli._options import DataRoot, Overrides, RunFile, merge_overrides


def sample(
    ctx: typer.Context,
    file: RunFile,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder.")],
    split: Annotated[
        Literal["train", "val", "test"],
        typer.Option(metavar="SPLIT", help="Split: train, val or test."),
    ] = "test",
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Number of images.")] = 4,
    data_root: DataRoot = None,
    overrides: Overrides = None,
) -> None:
    """Write a few images of the data as PNG files, to test a bundle.

    They have the bands that the network gets; more than four are written as .npy files. No image
    of the data and no other file of yours is replaced.
    """
    from mtlsearch.errors import DataError
    from mtlsearch.files import Outputs
    from mtlsearch.images import PixelFormat, exact_suffix, write_exact

    options = GlobalOptions.of(ctx)
    resolved = open_run(file, options, merge_overrides(overrides, data_root=data_root))
    sources = resolved.open_sources()
    rows = [(source, index) for source in sources for index in range(source.size(split))]
    if not rows:
        raise DataError(
            f"the split {split!r} has no images",
            where=str(file),
            allowed=[
                name
                for name in ("train", "val", "test")
                if any(source.size(name) for source in sources)
            ],
            next_step="set --split to a split with images",
        )
    rows = rows[:count]
    pixels = PixelFormat(resolved.config.data.channels, resolved.config.data.pixel_range)
    suffix = exact_suffix(pixels.num_channels)
    paths = [out / f"{split}-{number:03d}{suffix}" for number in range(len(rows))]
    files = (source.files(split, index) or () for source, index in rows)
    outputs = Outputs("sample", inputs=chain.from_iterable(files))
    outputs.check(dict.fromkeys(paths))
    outputs.check_folder(out)
    for path, (source, index) in zip(paths, rows, strict=True):
        picture = pixels.apply(source.read(split, index).image, source.locate(split, index))
        with outputs.write(path) as partial:
            write_exact(picture, partial)
        options.console.print(str(path))
