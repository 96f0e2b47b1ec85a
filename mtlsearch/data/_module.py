"""Data module: the data of one run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from mtlsearch.bundle import Preprocessing
from mtlsearch.config import DataConfig
from mtlsearch.data._check_splits import check_splits
from mtlsearch.data._crop_survey import survey_crops, surveyed_indices
from mtlsearch.data._data_digest import DataDigest, digest_data
from mtlsearch.data._images import Images
from mtlsearch.data._labels import setting_names, with_counts
from mtlsearch.data._loader import BatchLoader, ImageDataset, read_images, require_valid
from mtlsearch.data._splits import describe_held_out
from mtlsearch.data.augmentation import BatchTransform
from mtlsearch.data.cache import SampleCache, cache_folder
from mtlsearch.data.checks import CheckReport
from mtlsearch.images import AnyImage
from mtlsearch.labels import LabelSpec, Sample
from mtlsearch.plugin import Batch


class DataModule:
    """Batches, checks and single samples of all sources; created by :func:`open_data`.

    Every image is decoded once. Its resized sample stays in a cache on disk, which later runs
    use, or in memory.

    Args:
        images: the images by split.
        config: the ``data`` section of the run file.
        transform: augments and normalizes a batch.
        preprocessing: what evaluation and exported bundles do to an image.
        seed: seed of order and augmentation.
    """

    def __init__(
        self,
        images: Images,
        config: DataConfig,
        transform: BatchTransform,
        preprocessing: Preprocessing,
        *,
        seed: int,
    ) -> None:
        self._images = images
        self._config = config
        self._transform = transform
        self._preprocessing = preprocessing
        self._seed = seed
        self._cache = SampleCache(images, cache_folder(config), config.sources)
        self._labels = dict(images.labels)
        self._num_labeled: dict[str, dict[str, int]] = {}
        self._groups: dict[str, list[Hashable]] = {}

    @property
    def labels(self) -> Mapping[str, LabelSpec]:
        """The union of the sources' labels, with counts after ``train`` was checked."""
        return MappingProxyType(self._labels)

    @property
    def source_warnings(self) -> tuple[str, ...]:
        """What the sources changed or ignored when they were opened, one line each."""
        return tuple(line for source in self._images.sources for line in source.warnings)

    @property
    def held_out(self) -> tuple[str, ...]:
        """Which sources have no ``val`` split, and what is held out of ``train``, one line each."""
        return describe_held_out(self._images.sources, self._config.val_fraction)

    @property
    def selected_by_row(self) -> bool:
        """Whether the order of the images in a source decides on the images of a split."""
        return bool(self.held_out) or self._config.max_images is not None

    def digest(self) -> DataDigest:
        """Return a digest of the images and labels of ``train`` and ``val``; read no image.

        Returns:
            Numbers of images and digests by split.
        """
        return digest_data(self._images, self._config)

    def with_seed(self, seed: int) -> DataModule:
        """Return the same images and splits with another order and augmentation.

        Args:
            seed: seed of order and augmentation.

        Returns:
            A data module that uses the same cache.
        """
        other = copy.copy(self)
        other._seed, other._transform = seed, replace(self._transform, seed=seed)
        return other

    def size(self, split: str) -> int:
        """Return the number of images in a split.

        Args:
            split: ``train``, ``val`` or ``test``.

        Returns:
            Number of images.
        """
        return self._images.size(split)

    def num_labeled(self, split: str, label: str) -> int | None:
        """Return the number of images in a split that carry a label.

        Args:
            split: the split.
            label: name of the label.

        Returns:
            Number of images; None before the split is checked.
        """
        return self._num_labeled.get(split, {}).get(label)

    def locate(self, split: str, index: int) -> str:
        """Return where an image comes from, for messages and captions.

        Args:
            split: the split.
            index: index of the image in the split.

        Returns:
            The file, and the row in it.
        """
        return self._images.locate(split, index)

    def groups(self, split: str) -> list[Hashable]:
        """Return the group of each image; images of one group are not independent.

        Args:
            split: the split.

        Returns:
            Groups in the order of the split. An image without a group is a group of its own.
        """
        if split not in self._groups:
            self._groups[split] = self._images.groups(split)
        return self._groups[split]

    def check(
        self,
        progress: Callable[[int, int], None] | None = None,
        splits: Sequence[str] = ("train", "val"),
        *,
        reread: bool = False,
    ) -> CheckReport:
        """Read every image, collect all problems, and count labels and classes.

        Valid samples are stored, so that training decodes no image again. A split that an
        earlier run stored on disk is not read again while nothing about it changes.

        Args:
            progress: called with the number of images done and of all images.
            splits: the splits; ``test`` is not read by default.
            reread: whether to decode every image, even if it is stored, and to search for
                duplicate images.

        Returns:
            Problems, counts and duplicates.

        Raises:
            DataError: the folder in ``data.cache`` is not writable.
        """
        report = check_splits(
            self._images, self._cache, splits, self._config.num_workers, progress, reread=reread
        )
        self._num_labeled |= {
            split: {name: counts.present for name, counts in by_label.items()}
            for split, by_label in report.counts.items()
        }
        if "train" in report.counts:
            self._labels = with_counts(self._labels, report.counts["train"])
            report = replace(
                report,
                kept_by_crops=self._survey_crops(),
                is_subset=self.size("train") == self._config.max_images,
                settings=setting_names(self._images.sources),
            )
        return report

    def _survey_crops(self) -> dict[str, dict[str, float]]:
        if self._config.augment.crop is None:
            return {}
        samples = {
            index: sample
            for index in surveyed_indices(self.size("train"))
            if (sample := self._cache.get("train", index)) is not None
        }
        return survey_crops(samples, self._transform)

    def train_steps(self, batch_size: int) -> int:
        """Return the number of batches per epoch.

        A smaller last batch is dropped unless it is the only one, because batch statistics need
        several images. The order changes with the epoch, and with it the dropped images.

        Args:
            batch_size: number of images per batch.

        Returns:
            Number of batches, at least 1.
        """
        return max(1, self.size("train") // batch_size)

    def train_order(self, epoch: int, batch_size: int) -> list[int]:
        """Return the training images of one epoch, shuffled.

        Args:
            epoch: the epoch, from 0.
            batch_size: number of images per batch.

        Returns:
            Indices of images in the order of :meth:`train_batches`.
        """
        generator = np.random.default_rng([self._seed, epoch])
        num_used = self.train_steps(batch_size) * batch_size
        order: list[int] = generator.permutation(self.size("train"))[:num_used].tolist()
        return order

    def train_batches(
        self, epoch: int, batch_size: int, version: int | None = None
    ) -> Iterator[Batch]:
        """Iterate over shuffled and augmented training images.

        Order and augmentation depend only on seed, epoch and image.

        Args:
            epoch: the epoch, from 0.
            batch_size: number of images per batch.
            version: the epoch whose augmentation the images get; None for ``epoch``.

        Returns:
            Iterator over batches.

        Raises:
            DataError: an image that was not checked is bad.
        """
        order = self.train_order(epoch, batch_size)
        return self._batches("train", order, batch_size, epoch if version is None else version)

    def eval_batches(self, split: str, batch_size: int) -> Iterator[Batch]:
        """Iterate over all images of a split in order, without augmentation.

        Args:
            split: the split.
            batch_size: number of images per batch.

        Returns:
            Iterator over batches.

        Raises:
            DataError: an image that was not checked is bad.
        """
        return self._batches(split, list(range(self.size(split))), batch_size, None)

    def samples(self, split: str, indices: Sequence[int]) -> list[Sample]:
        """Read images and labels in their original size from their files.

        Args:
            split: the split.
            indices: indices of the images in the split.

        Returns:
            The samples, in the order of ``indices``; images are in the run's pixel format.

        Raises:
            DataError: an image or a label cannot be read.
        """
        return [self._images.original(split, index) for index in indices]

    @property
    def preprocessing(self) -> Preprocessing:
        """What evaluation and exported bundles do to an image."""
        return self._preprocessing

    def prepare(self, image: AnyImage) -> Tensor:
        """Apply the preprocessing of evaluation and exported bundles to an image.

        Args:
            image: an upright image of any size and mode.

        Returns:
            float32 ``[C, H, W]``, normalized.

        Raises:
            DataError: the image does not fit ``data.channels`` or ``data.pixel_range``.
        """
        return torch.from_numpy(self._preprocessing(image))

    def _batches(
        self, split: str, order: list[int], batch_size: int, epoch: int | None
    ) -> Iterator[Batch]:
        batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        if self._config.num_workers:
            self._fill_cache(split)
        loader = BatchLoader(self._images, self._cache, split, self._transform, epoch)
        return loader.load_all(batches, self._config.num_workers)

    def _fill_cache(self, split: str) -> None:
        """Read a whole split before its batches are loaded, because reading uses processes."""
        missing = self._cache.missing_indices(split, self.size(split))
        dataset = ImageDataset(self._images, split)
        results = read_images(dataset, missing, self._config.num_workers)
        for index, result in zip(missing, results, strict=True):
            self._cache.put(split, index, require_valid(result))
