"""The data of one run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mtlsearch.bundle import Preprocessing
from mtlsearch.config import DataConfig
from mtlsearch.data._check_splits import check_splits
from mtlsearch.data._images import Images
from mtlsearch.data._labels import with_counts
from mtlsearch.data._loader import BatchLoader, ImageDataset, image_dataset, require_valid
from mtlsearch.data.augmentation import BatchTransform
from mtlsearch.data.cache import SampleCache, cache_folder
from mtlsearch.data.checks import CheckReport
from mtlsearch.labels import LabelSpec, Sample
from mtlsearch.plugin import Batch


class DataModule:
    """Batches, checks and single samples of all sources together; made by :func:`open_data`.

    Every image is decoded once and kept, resized: in files that further runs find again, or in
    memory.

    Args:
        images: the images, by split.
        config: the ``data`` part of the run file.
        finish: makes of kept samples what a network sees.
        preprocessing: what evaluation, and later a bundle, does to an image.
        seed: seed of order and augmentation.
    """

    def __init__(
        self,
        images: Images,
        config: DataConfig,
        finish: BatchTransform,
        preprocessing: Preprocessing,
        *,
        seed: int,
    ) -> None:
        self._images = images
        self._config = config
        self._finish = finish
        self._preprocessing = preprocessing
        self._seed = seed
        self._cache = SampleCache(images, cache_folder(config), config.sources)
        self._labels = dict(images.labels)

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        """The union of what the sources know; with counts once training images are checked."""
        return MappingProxyType(self._labels)

    def reseeded(self, seed: int) -> DataModule:
        """The same images in the same splits, in another order and augmented otherwise."""
        other = copy.copy(self)
        other._seed, other._finish = seed, replace(self._finish, seed=seed)
        return other

    def size(self, split: str) -> int:
        """How many images ``train``, ``val`` or ``test`` has."""
        return self._images.size(split)

    def locate(self, split: str, index: int) -> str:
        """Where an image comes from, for messages and captions."""
        return self._images.locate(split, index)

    def check(
        self,
        progress: Callable[[int, int], None] | None = None,
        splits: Sequence[str] = ("train", "val"),
        *,
        reread: bool = False,
    ) -> CheckReport:
        """Be sure of every image, gather all that is wrong, count labels and classes.

        What is sound is kept, so nothing is decoded again for training. A split that an
        earlier run kept in files is not read again as long as nothing about it changed.

        Args:
            progress: is told how many images of how many are done.
            splits: which splits to check; ``test`` is not read unless asked for.
            reread: decode every image, whatever was kept, and compare them with each other.

        Raises:
            DataError: resized images cannot be kept in ``data.cache``.
        """
        report = check_splits(
            self._images, self._cache, splits, self._config.num_workers, progress, reread=reread
        )
        if "train" in report.counts:
            classes = {name: one.classes for name, one in report.counts["train"].items()}
            self._labels = with_counts(self._labels, classes)
        return report

    def train_steps(self, batch_size: int) -> int:
        """Batches of an epoch.

        The last, smaller batch is left out unless it is the only one: one image alone has
        no batch statistics. Which images that concerns changes with the epoch.
        """
        return max(1, self.size("train") // batch_size)

    def train_batches(self, epoch: int, batch_size: int) -> Iterator[Batch]:
        """Training images, shuffled and augmented by seed, epoch and image alone.

        Raises:
            DataError: an image that was not checked is bad.
        """
        chance = np.random.default_rng([self._seed, epoch])
        order = chance.permutation(self.size("train"))[: self.train_steps(batch_size) * batch_size]
        return self._batches("train", order.tolist(), batch_size, epoch)

    def eval_batches(self, split: str, batch_size: int) -> Iterator[Batch]:
        """All images of a split in order, as they are.

        Raises:
            DataError: an image that was not checked is bad.
        """
        return self._batches(split, list(range(self.size(split))), batch_size, None)

    def samples(self, split: str, indices: Sequence[int]) -> list[Sample]:
        """Original images and labels, read again from their files.

        Raises:
            DataError: one of them cannot be read.
        """
        return [self._images.original(split, index) for index in indices]

    def prepare(self, image: Image.Image) -> Tensor:
        """What evaluation, and a bundle, does to an image: float32 ``[3, H, W]``."""
        return torch.from_numpy(self._preprocessing(image))

    def _batches(
        self, split: str, order: list[int], batch_size: int, epoch: int | None
    ) -> Iterator[Batch]:
        rows = [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
        if self._config.num_workers:
            self._fill(split)
        batches = BatchLoader(self._images, self._cache, split, self._finish, epoch)
        return batches.each(rows, self._config.num_workers)

    def _fill(self, split: str) -> None:
        """Keep a whole split before its batches are made: reading takes processes."""
        missing = self._cache.missing(split, self.size(split))
        read = image_dataset(ImageDataset(self._images, split), missing, self._config.num_workers)
        for index, reading in zip(missing, read, strict=True):
            self._cache.put(split, index, require_valid(reading))
