"""Loading: processes that read images, threads that prepare batches, and their collation."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mtlsearch.data._images import Images, ReadResult
from mtlsearch.data._samples import PreparedLabel, PreparedSample
from mtlsearch.data.augmentation import BatchTransform
from mtlsearch.data.cache import SampleCache
from mtlsearch.errors import DataError
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import Batch, BoxTargets, Targets, TargetValues

ItemT = TypeVar("ItemT")

# Forked processes share the indices of the sources; spawned ones would get a copy each.
_CONTEXT = "fork" if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class BatchLoader:
    """Loader of the batches of one split.

    Attributes:
        images: the images; read for samples that are not in the cache.
        cache: the cache.
        split: the split.
        transform: augments and normalizes a batch.
        epoch: the epoch, from 0; None for evaluation.
    """

    images: Images
    cache: SampleCache
    split: str
    transform: BatchTransform
    epoch: int | None = None

    def load(self, indices: list[int]) -> Batch:
        """Load one batch.

        Args:
            indices: indices of its images in the split.

        Returns:
            The batch on the device of the transform.
        """
        samples = [self._sample(index) for index in indices]
        return self.transform(collate(samples, self.transform.labels), indices, self.epoch)

    def load_all(self, batches: Sequence[list[int]], num_workers: int) -> Iterator[Batch]:
        """Load several batches in order.

        Threads load some batches ahead. Python does little of the work, and a thread, unlike a
        process, can use the GPU and need not copy its result. Augmentation is determined per
        image, so the result does not depend on the threads.

        Args:
            batches: indices of the images of each batch.
            num_workers: number of threads; 0 loads in the calling thread.

        Yields:
            The batches.
        """
        if num_workers == 0:
            yield from map(self.load, batches)
            return
        pool = ThreadPoolExecutor(num_workers, "data", _use_one_core)
        pending: deque[Future[Batch]] = deque()
        try:
            for indices in batches:
                pending.append(pool.submit(self.load, indices))
                if len(pending) > num_workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _sample(self, index: int) -> PreparedSample:
        sample = self.cache.get(self.split, index)
        if sample is None:
            sample = require_valid(self.images.read(self.split, index))
            self.cache.put(self.split, index, sample)
        return sample


def _use_one_core() -> None:
    """Limit the calling thread to one core, so that training keeps the others."""
    torch.set_num_threads(1)


@dataclass(frozen=True, slots=True)
class ImageDataset(Dataset[ReadResult]):
    """Images of one split, read from their files; problems are returned, not raised.

    Attributes:
        images: the images.
        split: the split.
        with_digest: whether to compute digests of the pixels.
    """

    images: Images
    split: str
    with_digest: bool = False

    def __getitem__(self, index: int) -> ReadResult:
        return self.images.read(self.split, index, with_digest=self.with_digest)


def require_valid(result: ReadResult) -> PreparedSample:
    """Return the sample of a result without problems.

    Args:
        result: result of reading an image.

    Returns:
        The sample.

    Raises:
        DataError: the result has problems; the message is the first of them.
    """
    if result.sample is None:
        first = result.problems[0]
        raise DataError(first.what, where=first.where)
    return result.sample


def read_images(
    dataset: ImageDataset, indices: Sequence[int], num_workers: int
) -> Iterator[ReadResult]:
    """Read images in order.

    Args:
        dataset: the images.
        indices: indices of the images to read.
        num_workers: number of processes; 0 reads in the calling process.

    Returns:
        Iterator over the results.
    """
    if num_workers == 0:
        return (dataset[index] for index in indices)
    loader = DataLoader(
        dataset,
        sampler=indices,
        batch_size=None,
        num_workers=num_workers,
        collate_fn=_identity,
        multiprocessing_context=_CONTEXT,
    )
    return (_copy_to_process(result) for result in loader)


def _copy_to_process(result: ReadResult) -> ReadResult:
    return result if result.sample is None else replace(result, sample=result.sample.clone())


def _identity(item: ItemT) -> ItemT:
    return item


def collate(samples: Sequence[PreparedSample], labels: Mapping[str, LabelSpec]) -> Batch:
    """Stack samples of one size into a batch.

    Images stay uint8 and masks keep their dtype. :class:`BatchTransform` converts them on the
    device.

    Args:
        samples: one or more samples.
        labels: all labels of the run.

    Returns:
        The batch. Each label contains only the samples that have it.
    """
    targets: dict[str, Targets] = {}
    for name, spec in labels.items():
        rows = [row for row, sample in enumerate(samples) if name in sample.labels]
        if rows:
            values = [samples[row].labels[name] for row in rows]
            targets[name] = Targets(torch.tensor(rows), _stack(spec, values))
    return Batch(torch.stack([sample.image for sample in samples]), targets)


def _stack(spec: LabelSpec, values: Sequence[PreparedLabel]) -> TargetValues:
    if spec.form is Form.BOXES:
        return tuple(value for value in values if isinstance(value, BoxTargets))
    if spec.form is Form.CATEGORIES:
        multi_hot = torch.zeros(len(values), len(spec.classes))
        for row, value in enumerate(values):
            if isinstance(value, tuple) and value:
                multi_hot[row, list(value)] = 1.0
        return multi_hot
    if spec.form is Form.CATEGORY:
        return torch.tensor(values)
    if spec.form is Form.NUMBER:
        return torch.tensor(values, dtype=torch.float32)
    return torch.stack([value for value in values if isinstance(value, Tensor)])
