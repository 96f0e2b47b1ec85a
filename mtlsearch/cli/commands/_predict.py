"""``mtlsearch predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtlsearch.cli._global_options import GlobalOptions

if TYPE_CHECKING:
    from mtlsearch.bundle import Bundle

FAILURE = 1


def predict(
    ctx: typer.Context,
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Bundle written by `mtlsearch export`.")
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Image files.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for pictures, masks and maps."),
    ] = None,
) -> None:
    """Predict all tasks on images with a bundle and print JSON.

    An image that cannot be read is reported and skipped. The exit code is then 1.
    """
    import json

    from mtlsearch.bundle import open_bundle
    from mtlsearch.errors import DataError

    console = GlobalOptions.of(ctx).console
    opened = open_bundle(bundle)
    console.debug(opened.describe())
    predicted: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for path, stem in zip(images, _stems(images), strict=True):
        try:
            predicted.append(_predict_one(opened, path, out, stem))
        except DataError as error:
            console.error(str(error))
            failed.append({"image": str(path), "error": error.what})
    document = {"bundle": str(bundle), "images": predicted, "failed": failed}
    console.print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    if out is not None and predicted:
        count = "1 image" if len(predicted) == 1 else f"{len(predicted)} images"
        console.info(f"written: pictures of {count} in {out}")
    if failed:
        raise typer.Exit(FAILURE)


def _predict_one(bundle: Bundle, path: Path, out: Path | None, stem: str) -> dict[str, Any]:
    """Predict one image and return its entry of the document.

    Raises:
        DataError: the image cannot be read.
    """
    from mtlsearch.bundle import save_outputs
    from mtlsearch.prediction import to_json

    image = bundle.manifest.preprocessing.pixel_format.read(path)
    (predictions,) = bundle.predict([image])
    tasks = {task: to_json(bundle.tasks[task], output) for task, output in predictions.items()}
    entry: dict[str, Any] = {"image": str(path), "size": [image.size[1], image.size[0]]}
    if out is not None:
        files = save_outputs(out, stem, bundle.tasks, image, predictions)
        entry["picture"] = str(files.pop(""))
        for task, file in files.items():
            tasks[task]["file"] = str(file)
    return {**entry, "tasks": tasks}


def _stems(images: list[Path]) -> list[str]:
    """Return a unique file name stem per image; repeated names get numbers."""
    taken: set[str] = set()
    stems = []
    for path in images:
        stem, number = path.stem, 1
        while stem in taken:
            number += 1
            stem = f"{path.stem}-{number}"
        taken.add(stem)
        stems.append(stem)
    return stems
