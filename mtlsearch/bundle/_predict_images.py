"""Predictions for images in memory or on disk, by any network with a preprocessing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from mtlsearch.bundle._image_like import ImageLike, to_image
from mtlsearch.bundle._preprocessing import Preprocessing
from mtlsearch.errors import ConfigError
from mtlsearch.prediction import OutputSpec, Prediction, decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mtlsearch.images import AnyImage

Predictions = dict[str, Prediction]
"""Prediction by task, for one image."""

Runner: TypeAlias = (
    "Callable[[NDArray[np.float32]], Mapping[str, Mapping[str, NDArray[np.float32]]]]"
)
"""Function from preprocessed images ``[B, C, H, W]`` to tensors ``[B, ...]`` by task and name."""


def predict_images(
    images: ImageLike | Sequence[ImageLike],
    run: Runner,
    tasks: Mapping[str, OutputSpec],
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    classes: Collection[str] = (),
) -> Predictions | list[Predictions]:
    """Return the predictions of a network for one image or for several.

    Args:
        images: an image or a list of images, see :meth:`Bundle.predict`.
        run: runs the network.
        tasks: specification of each task's tensors.
        preprocessing: pixel format, resizing and normalization of an image.
        batch_size: number of images per forward pass.
        classes: names of the classes of boxes and categories to return; empty for all.

    Returns:
        Prediction by task for one image; for a list, one such dictionary per image.

    Raises:
        ConfigError: the batch size is below 1.
        DataError: an image cannot be read or does not fit the pixel format.
    """
    if batch_size < 1:
        raise ConfigError(f"`batch_size` must be at least 1, got {batch_size}", where="predict")
    if not isinstance(images, list | tuple):
        image = to_image(cast("ImageLike", images))
        return _predict_batch([image], run, tasks, preprocessing, classes)[0]
    predictions: list[Predictions] = []
    for start in range(0, len(images), batch_size):
        batch = [to_image(image) for image in images[start : start + batch_size]]
        predictions += _predict_batch(batch, run, tasks, preprocessing, classes)
    return predictions


def preprocess(images: Sequence[AnyImage], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return the input of a network; warn of bands that the network does not get.

    Args:
        images: upright images of any size, at least one.
        preprocessing: pixel format, resizing and normalization.

    Returns:
        float32 ``[B, C, H, W]``, normalized.

    Raises:
        DataError: an image does not fit the pixel format.
    """
    num_dropped = max(map(preprocessing.pixel_format.num_dropped, images))
    if num_dropped:
        warnings.warn(
            f"an image has {num_dropped} band(s) that the network does not get, such as alpha: "
            f"`channels` of the bundle is {preprocessing.channels}",
            UserWarning,
            stacklevel=5,
        )
    return np.stack([preprocessing(image) for image in images])


def _predict_batch(
    images: Sequence[AnyImage],
    run: Runner,
    tasks: Mapping[str, OutputSpec],
    preprocessing: Preprocessing,
    classes: Collection[str],
) -> list[Predictions]:
    arrays = run(preprocess(images, preprocessing))
    return [
        {
            task: decode(
                output,
                {name: array[row] for name, array in arrays[task].items()},
                input_size=preprocessing.size,
                image_size=(image.size[1], image.size[0]),
                classes=classes,
            )
            for task, output in tasks.items()
        }
        for row, image in enumerate(images)
    ]
