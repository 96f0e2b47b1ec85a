"""Predictions for images in memory or on disk, by any network with a preprocessing."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast, overload

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


class ImagePredictor(ABC):
    """Network that predicts images of any size."""

    @abstractmethod
    def _predict_batch(self, images: Sequence[AnyImage]) -> list[Predictions]:
        """Return the predictions for a batch.

        Args:
            images: upright images of any size, at least one.

        Returns:
            Prediction by task of each image.

        Raises:
            DataError: an image does not fit the pixel format of the network.
        """

    @overload
    def predict(  # type: ignore[overload-overlap]  # a path is a sequence of characters
        self, images: ImageLike, *, batch_size: int = 8
    ) -> Predictions: ...

    @overload
    def predict(self, images: Sequence[ImageLike], *, batch_size: int = 8) -> list[Predictions]: ...

    def predict(
        self, images: ImageLike | Sequence[ImageLike], *, batch_size: int = 8
    ) -> Predictions | list[Predictions]:
        """Return the predictions for one image or for several.

        Args:
            images: an image or a list of images of any size. Each is the path of a file, a Pillow
                image in any mode, or an array ``[H, W]`` or ``[H, W, C]``: integers of 8 bits from
                0 to 255 in the order red, green, blue, of 16 bits from 0 to 65535, or other
                numbers in the range that ``data.pixel_range`` of the run sets. Two bands are gray
                and alpha. Bands that the network does not get are left out with a
                ``UserWarning``, by the rule of training.
            batch_size: number of images per forward pass.

        Returns:
            Prediction by task for one image; for a list, one such dictionary per image. Boxes,
            masks and maps fit the upright image: Pillow images and files are rotated by their
            EXIF orientation.

        Raises:
            ConfigError: the batch size is below 1.
            DataError: an image cannot be read or does not fit the pixel format of the network.
        """
        if batch_size < 1:
            raise ConfigError(f"`batch_size` must be at least 1, got {batch_size}", where="predict")
        if not isinstance(images, list | tuple):
            return self._predict_batch([to_image(cast("ImageLike", images))])[0]
        predictions: list[Predictions] = []
        for start in range(0, len(images), batch_size):
            batch = [to_image(image) for image in images[start : start + batch_size]]
            predictions += self._predict_batch(batch)
        return predictions


def predict_raw(
    images: Sequence[AnyImage],
    run: Runner,
    tasks: Mapping[str, OutputSpec],
    preprocessing: Preprocessing,
    classes: Collection[str] = (),
) -> list[Predictions]:
    """Return the predictions for a batch from the tensors of a network, decoded here.

    Args:
        images: upright images of any size, at least one.
        run: runs the network.
        tasks: specification of each task's tensors.
        preprocessing: pixel format, resizing and normalization of an image.
        classes: names of the classes of boxes and categories to return; empty for all.

    Returns:
        Prediction by task of each image.

    Raises:
        DataError: an image does not fit the pixel format.
    """
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
