"""From a run file's ``data`` part to its images."""

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
"""Training images are kept this much larger than the input where they will be cropped."""


def open_data(
    sources: Sequence[DatasetSource],
    config: DataConfig,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int,
    device: torch.device | None = None,
) -> DataModule:
    """The data of a run: all sources together.

    Args:
        sources: opened sources, at least one.
        config: the ``data`` part of the run file.
        mean: what the backbone expects subtracted from images in 0..1, a number a channel.
        std: what it expects to be divided by, after that.
        seed: seed of splits, order and augmentation.
        device: where images are augmented and batches end up; the CPU by default.

    Raises:
        DataError: two sources mean different things by one label, or there is nothing to
            train on or to validate on.
    """
    labels = union_labels(sources)
    splits = make_splits(
        sources, val_fraction=config.val_fraction, limit=config.max_images, seed=seed
    )
    height, width = config.image_size
    margin = MARGIN if config.augment.crop is not None else 1.0
    kept = dict.fromkeys(splits, config.image_size)
    kept["train"] = (round(height * margin), round(width * margin))
    means, stds = _three(mean), _three(std)
    finish = BatchTransform(
        labels, config.augment, config.image_size, means, stds, seed, device or torch.device("cpu")
    )
    return DataModule(
        Images(sources, splits, labels, kept),
        config,
        finish,
        Preprocessing(config.image_size, means, stds),
        seed=seed,
    )


def _three(numbers: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = numbers
    return red, green, blue
