"""Predictions of image files: the JSON document and the files of ``predict``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlsearch.bundle._outputs import output_suffixes, save_outputs
from mtlsearch.errors import DataError
from mtlsearch.files import Outputs, unique_stems
from mtlsearch.prediction import to_json

if TYPE_CHECKING:
    from mtlsearch.bundle._runtime import Bundle

COMMAND = "predict"
"""Command that the record of the outputs names."""


def predict_files(
    bundle: Bundle,
    images: Sequence[Path],
    out: Path | None,
    *,
    on_error: Callable[[DataError], None],
) -> dict[str, Any]:
    """Predict all tasks on image files and write pictures, masks and maps.

    An image that cannot be read is reported and skipped. Two files never get the same name, on
    any disk: the outputs of a second ``street.jpg`` start with ``street-2``.

    Args:
        bundle: the opened bundle.
        images: paths of the images.
        out: folder of the files; None to write none.
        on_error: called with the error of each image that cannot be read.

    Returns:
        The JSON document: ``bundle``, ``images`` and ``failed``.

    Raises:
        ConfigError: an output would replace an image or another file of the user, or the folder
            contains images of the user. Nothing is predicted then.
    """
    outputs = Outputs(COMMAND, inputs=images)
    suffixes = list(output_suffixes(bundle.tasks).values())
    stems = unique_stems((path.stem for path in images), suffixes)
    if out is not None:
        outputs.check(
            {
                out / (stem + suffix): path
                for path, stem in zip(images, stems, strict=True)
                for suffix in suffixes
            }
        )
        outputs.check_folder(out)
    predicted: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    for path, stem in zip(images, stems, strict=True):
        try:
            predicted.append(_predict_file(bundle, path, out, stem, outputs))
        except DataError as error:
            on_error(error)
            failed.append({"image": str(path), "error": error.what})
    return {"bundle": str(bundle.path), "images": predicted, "failed": failed}


def _predict_file(
    bundle: Bundle, path: Path, out: Path | None, stem: str, outputs: Outputs
) -> dict[str, Any]:
    """Predict one image and return its entry of the document.

    Raises:
        DataError: the image cannot be read.
    """
    image = bundle.manifest.preprocessing.pixel_format.read(path)
    (predictions,) = bundle.predict([image])
    tasks = {task: to_json(bundle.tasks[task], output) for task, output in predictions.items()}
    entry: dict[str, Any] = {"image": str(path), "size": [image.size[1], image.size[0]]}
    if out is not None:
        write = partial(outputs.write, source=path)
        files = save_outputs(out, stem, bundle.tasks, image, predictions, write=write)
        entry["picture"] = str(files.pop(""))
        for task, file in files.items():
            tasks[task]["file"] = str(file)
    return {**entry, "tasks": tasks}
