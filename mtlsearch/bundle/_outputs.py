"""Predictions written to files: a picture of all tasks, masks and maps as they are."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from mtlsearch.files import atomic_write
from mtlsearch.prediction import (
    MapPrediction,
    MaskPrediction,
    OutputSpec,
    Prediction,
    class_colour,
    draw,
    side_by_side,
)


def draw_all(
    tasks: Mapping[str, OutputSpec], image: Image.Image, predictions: Mapping[str, Prediction]
) -> Image.Image:
    """The image and beside it, a panel a task, each prediction drawn on it."""
    panels = [("input", image.convert("RGB"))]
    panels += [(task, draw(tasks[task], image, predictions[task])) for task in predictions]
    return side_by_side(panels)


def save_outputs(
    folder: Path,
    stem: str,
    tasks: Mapping[str, OutputSpec],
    image: Image.Image,
    predictions: Mapping[str, Prediction],
) -> dict[str, Path]:
    """Write ``stem.png`` with all tasks, masks as ``stem.task.png``, maps as ``stem.task.npy``.

    A mask's PNG holds class indices (8 bits with a palette of the classes' colours, 16 bits
    from 256 classes on); a map's file is float32 ``[K, H, W]``. Both are of the image's size.

    Returns:
        The files by task; the picture of all under ``""``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"": folder / f"{stem}.png"}
    _write(files[""], _png(draw_all(tasks, image, predictions)))
    for task, prediction in predictions.items():
        if isinstance(prediction, MaskPrediction):
            files[task] = folder / f"{stem}.{task}.png"
            _write(files[task], _png(_index_image(prediction, len(tasks[task].classes))))
        elif isinstance(prediction, MapPrediction):
            files[task] = folder / f"{stem}.{task}.npy"
            _write(files[task], _npy(prediction))
    return files


def _index_image(prediction: MaskPrediction, classes: int) -> Image.Image:
    if prediction.indices.dtype != np.uint8:
        return Image.fromarray(prediction.indices.astype(np.uint16))
    image = Image.fromarray(prediction.indices)
    image.putpalette([part for at in range(classes) for part in class_colour(at)])
    return image


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _npy(prediction: MapPrediction) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, prediction.values, allow_pickle=False)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as partial:
        partial.write_bytes(content)
