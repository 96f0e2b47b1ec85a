"""``mtlsearch predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtlsearch.cli._global_options import Shell

if TYPE_CHECKING:
    from mtlsearch.bundle import Bundle

FAILED = 1


def predict(
    ctx: typer.Context,
    bundle: Annotated[Path, typer.Argument(help="A folder that `mtlsearch export` wrote.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write pictures, masks and maps here."),
    ] = None,
) -> None:
    """Predict every task on images with a bundle alone; prints JSON.

    An image that cannot be read is named, the others are predicted, and the exit code is 1.
    """
    import json

    from mtlsearch.bundle import open_bundle
    from mtlsearch.errors import DataError

    console = Shell.of(ctx).console
    opened = open_bundle(bundle)
    console.detail(opened.describe())
    predicted: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for path, stem in zip(images, _stems(images), strict=True):
        try:
            predicted.append(_predict_one(opened, path, out, stem))
        except DataError as error:
            console.error(str(error))
            failed.append({"image": str(path), "error": error.what})
    document = {"bundle": str(bundle), "images": predicted, "failed": failed}
    console.result(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    if out is not None and predicted:
        many = "1 image" if len(predicted) == 1 else f"{len(predicted)} images"
        console.say(f"pictures of {many} lie in {out}")
    if failed:
        raise typer.Exit(FAILED)


def _predict_one(bundle: Bundle, path: Path, out: Path | None, stem: str) -> dict[str, Any]:
    """One image's entry in the document.

    Raises:
        DataError: the image cannot be read.
    """
    from mtlsearch.bundle import read_image, save_outputs
    from mtlsearch.prediction import to_json

    image = read_image(path)
    (predictions,) = bundle.predict([image])
    tasks = {task: to_json(bundle.tasks[task], found) for task, found in predictions.items()}
    entry: dict[str, Any] = {"image": str(path), "size": [image.height, image.width]}
    if out is not None:
        files = save_outputs(out, stem, bundle.tasks, image, predictions)
        entry["picture"] = str(files.pop(""))
        for task, file in files.items():
            tasks[task]["file"] = str(file)
    return {**entry, "tasks": tasks}


def _stems(images: list[Path]) -> list[str]:
    """A file name for each image's outputs; images of one name in several folders get numbers."""
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
