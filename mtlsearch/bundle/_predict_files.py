"""Predictions of image files: the JSON document and the files of ``predict``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlsearch.bundle._outputs import output_suffixes, save_outputs
from mtlsearch.errors import ConfigError, DataError
from mtlsearch.files import IMAGE_SUFFIXES, Outputs, unique_stems
from mtlsearch.prediction import to_json

if TYPE_CHECKING:
    from mtlsearch.bundle._runtime import Bundle

DIGITS = re.compile(r"(\d+)")

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
        images: paths of images, and of folders of images such as the frames of a video. The
            images of a folder follow in the order of their names, numbers by value; images in
            its folders and hidden files are left out.
        out: folder of the files; None to write none.
        on_error: called with the error of each image that cannot be read.

    Returns:
        The JSON document: ``bundle``, ``images`` and ``failed``.

    Raises:
        ConfigError: an output would replace an image or another file of the user, or the folder
            contains images of the user, or a folder contains no image. Nothing is predicted then.
    """
    images = [file for path in images for file in _expand(path)]
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
    return {"bundle": str(bundle.path.resolve()), "images": predicted, "failed": failed}


def _expand(path: Path) -> list[Path]:
    """Return the images of a folder; the path itself if it is not a folder."""
    if not path.is_dir():
        return [path]
    files = [
        file
        for file in path.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES
        and not file.name.startswith(".")
        and file.is_file()
    ]
    if not files:
        raise ConfigError(
            "the folder contains no images",
            where=str(path),
            allowed=[f"files with the suffixes {', '.join(IMAGE_SUFFIXES)}"],
            next_step="set the path of the folder that contains the images themselves",
        )
    return sorted(files, key=_frame_order)


def _frame_order(file: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a key that sorts ``frame2`` before ``frame10``."""
    parts = DIGITS.split(file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], file.name


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
