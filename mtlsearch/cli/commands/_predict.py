"""``mtlsearch predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtlsearch.cli._global_options import GlobalOptions

FAILURE = 1


def predict(
    ctx: typer.Context,
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Bundle written by `mtlsearch export`.")
    ],
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE|FOLDER", help="Images, or folders of images or video frames."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for pictures, masks and maps."),
    ] = None,
    conf: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE", help="Smallest score of boxes and categories. Default: of the bundle."
        ),
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option(
            metavar="IOU", help="IoU above which a box is suppressed. Default: of the bundle."
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Class of boxes and categories. Repeatable."),
    ] = None,
) -> None:
    """Predict all tasks on images with a bundle and print JSON.

    An image that cannot be read is reported and skipped. The exit code is then 1. No image and
    no other file of yours is replaced.
    """
    import json

    from mtlsearch.bundle import open_bundle, predict_files

    console = GlobalOptions.of(ctx).console
    opened = open_bundle(bundle).select(conf=conf, iou=iou, classes=classes or ())
    console.debug(opened.describe())
    document = predict_files(opened, images, out, on_error=lambda error: console.error(str(error)))
    console.print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    if out is not None and (num_images := len(document["images"])):
        count = "1 image" if num_images == 1 else f"{num_images} images"
        console.info(f"written: pictures of {count} in {out}")
    if document["failed"]:
        raise typer.Exit(FAILURE)
