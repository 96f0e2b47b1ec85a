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
from mtlsearch.images import PixelFormat
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
        mean: mean of each channel (pixels in 0..1) that the backbone expects. Channels beyond
            these, and each of fewer channels, get the mean of the numbers.
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
    pixel_format = PixelFormat(config.channels, config.pixel_range)
    means, stds = (per_channel(numbers, pixel_format.num_channels) for numbers in (mean, std))
    transform = BatchTransform(
        labels,
        config.augment,
        config.image_size,
        means,
        stds,
        seed,
        device or torch.device("cpu"),
        has_color=pixel_format.is_color,
    )
    return DataModule(
        Images(sources, splits, labels, prepared_size, pixel_format),
        config,
        transform,
        Preprocessing(config.image_size, means, stds, config.channels, config.pixel_range),
        seed=seed,
    )


def per_channel(numbers: Sequence[float], count: int) -> tuple[float, ...]:
    """Return one number per channel.

    Numbers for red, green and blue stay; every further channel, and each of fewer than three,
    gets their mean.

    Args:
        numbers: one number for each channel that the backbone expects.
        count: number of channels.

    Returns:
        ``count`` numbers.
    """
    if len(numbers) == count:
        return tuple(numbers)
    mean = sum(numbers) / len(numbers)
    kept = tuple(numbers) if len(numbers) < count else ()
    return kept + (mean,) * (count - len(kept))
