"""Images read by other processes, and batches put together by other threads."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from mtlsearch.data._collate import collate
from mtlsearch.data._images import Images, ReadResult
from mtlsearch.data._samples import PreparedSample
from mtlsearch.data.augmentation import BatchTransform
from mtlsearch.data.cache import SampleCache
from mtlsearch.errors import DataError
from mtlsearch.plugin import Batch

ItemT = TypeVar("ItemT")

# Forked workers share the sources' indices, where spawned ones are sent a copy each.
_CONTEXT = "fork" if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class BatchLoader:
    """Batches of one split by the indices of their images.

    Args:
        images: where a sample that is not kept comes from.
        cache: the kept ones.
        split: which split.
        finish: makes of kept samples what a network sees.
        epoch: which epoch; None for evaluation.
    """

    images: Images
    cache: SampleCache
    split: str
    finish: BatchTransform
    epoch: int | None = None

    def make(self, indices: list[int]) -> Batch:
        """The batch of these images."""
        samples = [self._kept(index) for index in indices]
        return self.finish(collate(samples, self.finish.labels), indices, self.epoch)

    def each(self, order: Sequence[list[int]], workers: int) -> Iterator[Batch]:
        """The batches with these indices, one after the other.

        Kept samples are put together by threads, some batches ahead: there is little to do
        in Python, and a thread, unlike a process, need not send what it made and can use
        the GPU. Chance belongs to each image, so it does not matter who makes a batch.
        """
        if workers == 0:
            yield from map(self.make, order)
            return
        pool = ThreadPoolExecutor(workers, "data", _one_core)
        coming: deque[Future[Batch]] = deque()
        try:
            for indices in order:
                coming.append(pool.submit(self.make, indices))
                if len(coming) > workers:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _kept(self, index: int) -> PreparedSample:
        prepared = self.cache.get(self.split, index)
        if prepared is None:
            prepared = require_valid(self.images.read(self.split, index))
            self.cache.put(self.split, index, prepared)
        return prepared


def _one_core() -> None:
    """Keep a thread from taking the cores that train; threads that run already keep theirs."""
    torch.set_num_threads(1)


@dataclass(frozen=True, slots=True)
class ImageDataset(Dataset[ReadResult]):
    """Images of one split, read from their files; bad ones are told, not raised."""

    images: Images
    split: str
    digest: bool = False

    def __getitem__(self, index: int) -> ReadResult:
        return self.images.read(self.split, index, digest=self.digest)


def require_valid(reading: ReadResult) -> PreparedSample:
    """The sample of a reading.

    Raises:
        DataError: something is wrong with it.
    """
    if reading.prepared is None:
        first = reading.problems[0]
        raise DataError(first.what, where=first.where)
    return reading.prepared


def image_dataset(
    source: ImageDataset, indices: Sequence[int], workers: int
) -> Iterator[ReadResult]:
    """Images read one after the other, in this order."""
    if workers == 0:
        return (source[index] for index in indices)
    loader = DataLoader(
        source,
        sampler=indices,
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        multiprocessing_context=_CONTEXT,
    )
    return (_own(reading) for reading in loader)


def _own(reading: ReadResult) -> ReadResult:
    prepared = reading.prepared
    return reading if prepared is None else replace(reading, prepared=prepared.clone())


def _as_it_is(item: ItemT) -> ItemT:
    return item
