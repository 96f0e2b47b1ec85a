"""Creation of a data module from the ``data`` section of a run file."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mtlsearch.bundle import Preprocessing
from mtlsearch.config import DataConfig
from mtlsearch.data._images import Images
from mtlsearch.data._labels import union_labels
from mtlsearch.data._module import DataModule
from mtlsearch.data._splits import make_splits
from mtlsearch.data.augmentation import BatchTransform
from mtlsearch.plugin import DatasetSource

MARGIN = 1.15
"""Ratio of the prepared size to the input size for training images that are cropped."""


def open_data(
    sources: Sequence[DatasetSource],
    config: DataConfig,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int,
    device: torch.device | None = None,
) -> DataModule:
    """Create the data module of a run from all its sources.

    Args:
        sources: opened sources, at least one.
        config: the ``data`` section of the run file.
        mean: mean of each channel (pixels in 0..1) that the backbone expects.
        std: standard deviation of each channel, likewise.
        seed: seed of splits, order and augmentation.
        device: device of augmentation and batches; the CPU by default.

    Returns:
        The data module.

    Raises:
        DataError: two sources specify the same label differently, or ``train`` or ``val`` is
            empty.
    """
    labels = union_labels(sources)
    splits = make_splits(
        sources, val_fraction=config.val_fraction, max_images=config.max_images, seed=seed
    )
    height, width = config.image_size
    margin = MARGIN if config.augment.crop is not None else 1.0
    prepared_size = dict.fromkeys(splits, config.image_size)
    prepared_size["train"] = (round(height * margin), round(width * margin))
    means, stds = _rgb(mean), _rgb(std)
    transform = BatchTransform(
        labels, config.augment, config.image_size, means, stds, seed, device or torch.device("cpu")
    )
    return DataModule(
        Images(sources, splits, labels, prepared_size),
        config,
        transform,
        Preprocessing(config.image_size, means, stds),
        seed=seed,
    )


def _rgb(numbers: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = numbers
    return red, green, blue
