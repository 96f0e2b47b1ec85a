"""Writing of predictions: a picture of all tasks, masks and maps."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from PIL import Image

from mtlsearch.files import atomic_write
from mtlsearch.images import AnyImage, to_rgb
from mtlsearch.labels import Form
from mtlsearch.prediction import (
    MapPrediction,
    MaskPrediction,
    OutputSpec,
    Prediction,
    class_color,
    draw,
    side_by_side,
)

Writer = Callable[[Path], AbstractContextManager[Path]]
"""Opens a file for writing: yields a temporary path that becomes the file."""

SUFFIXES = {Form.MASK: ".png", Form.MAP: ".npy"}
"""Suffix of the file of a task, by form."""


def output_suffixes(tasks: Mapping[str, OutputSpec]) -> dict[str, str]:
    """Return how the names of the files of one image end.

    Args:
        tasks: specification of each task's output.

    Returns:
        Such as ``.TASK.png`` or ``.TASK.npy`` by task; the picture of all tasks has the key ``""``.
    """
    of_tasks = {
        task: f".{task}{SUFFIXES[output.form]}"
        for task, output in tasks.items()
        if output.form in SUFFIXES
    }
    return {"": ".png", **of_tasks}


def draw_all(
    tasks: Mapping[str, OutputSpec], image: AnyImage, predictions: Mapping[str, Prediction]
) -> Image.Image:
    """Return the image next to one panel per task with its prediction.

    Args:
        tasks: specification of each task's output.
        image: the original image, in the pixel format of the bundle.
        predictions: prediction of each task.

    Returns:
        The drawn picture in mode RGB.
    """
    drawn = to_rgb(image)
    panels = [("input", drawn)]
    panels += [(task, draw(tasks[task], drawn, predictions[task])) for task in predictions]
    return side_by_side(panels)


def save_outputs(
    folder: Path,
    stem: str,
    tasks: Mapping[str, OutputSpec],
    image: AnyImage,
    predictions: Mapping[str, Prediction],
    *,
    write: Writer = atomic_write,
) -> dict[str, Path]:
    """Write ``stem.png`` with all tasks, masks as ``stem.task.png``, maps as ``stem.task.npy``.

    The PNG of a mask contains class indices: 8 bits with a palette of the classes' colors, or
    16 bits for 256 or more classes. The file of a map is float32 ``[K, H, W]``. Both have the
    size of the image.

    Args:
        folder: target folder, created if it does not exist.
        stem: start of the file names.
        tasks: specification of each task's output.
        image: the original image, in the pixel format of the bundle.
        predictions: prediction of each task.
        write: opens a file for writing; by default, existing files are replaced.

    Returns:
        Paths by task; the picture of all tasks has the key ``""``.
    """
    files = {task: folder / (stem + suffix) for task, suffix in output_suffixes(tasks).items()}
    contents = {"": _png(draw_all(tasks, image, predictions))}
    for task, prediction in predictions.items():
        if isinstance(prediction, MaskPrediction):
            contents[task] = _png(_index_image(prediction, len(tasks[task].classes)))
        elif isinstance(prediction, MapPrediction):
            contents[task] = _npy(prediction)
    for task, content in contents.items():
        with write(files[task]) as temporary:
            temporary.write_bytes(content)
    return {task: files[task] for task in contents}


def _index_image(prediction: MaskPrediction, num_classes: int) -> Image.Image:
    if prediction.indices.dtype != np.uint8:
        return Image.fromarray(prediction.indices.astype(np.uint16))
    image = Image.fromarray(prediction.indices)
    image.putpalette([part for index in range(num_classes) for part in class_color(index)])
    return image


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _npy(prediction: MapPrediction) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, prediction.values, allow_pickle=False)
    return buffer.getvalue()
