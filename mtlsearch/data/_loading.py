"""Batches, put together in this process or in others."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from torch.utils.data import DataLoader, Dataset

from mtlsearch.data._cache import SampleCache
from mtlsearch.data._collate import collate
from mtlsearch.data._finish import Finish
from mtlsearch.data._images import Images, Reading
from mtlsearch.data._prepared import Prepared
from mtlsearch.errors import DataError
from mtlsearch.plugin import Batch

ItemT = TypeVar("ItemT")

# Forked workers share the kept samples, where spawned ones are sent a copy each.
_CONTEXT = "fork" if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Batches(Dataset[Batch]):
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
    finish: Finish
    epoch: int | None = None

    def __getitem__(self, indices: list[int]) -> Batch:
        """The batch, finished where that can be done in any process."""
        batch = collate([self._kept(index) for index in indices], self.finish.labels)
        return batch if self._later else self.finish(batch, indices, self.epoch)

    @property
    def _later(self) -> bool:
        """Whether only the main process can finish: a forked one cannot use a GPU."""
        return self.finish.device.type != "cpu"

    def each(self, order: Sequence[list[int]], workers: int) -> Iterator[Batch]:
        """The batches with these indices, one after the other."""
        batches: Iterable[Batch] = (self[indices] for indices in order)
        if workers:
            batches = DataLoader(
                self,
                sampler=order,
                batch_size=None,
                num_workers=workers,
                collate_fn=_as_it_is,
                multiprocessing_context=_CONTEXT,
            )
        for indices, batch in zip(order, batches, strict=True):
            yield self.finish(batch, indices, self.epoch) if self._later else batch

    def _kept(self, index: int) -> Prepared:
        prepared = self.cache.get(self.split, index)
        if prepared is None:
            prepared = sound(self.images.read(self.split, index))
            self.cache.put(self.split, index, prepared)
        return prepared


@dataclass(frozen=True, slots=True)
class Readings(Dataset[Reading]):
    """Images of one split, read from their files; bad ones are told, not raised."""

    images: Images
    split: str

    def __getitem__(self, index: int) -> Reading:
        return self.images.read(self.split, index)


def sound(reading: Reading) -> Prepared:
    """The sample of a reading.

    Raises:
        DataError: something is wrong with it.
    """
    if reading.prepared is None:
        first = reading.problems[0]
        raise DataError(first.what, where=first.where)
    return reading.prepared


def readings(source: Readings, indices: Sequence[int], workers: int) -> Iterator[Reading]:
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


def _own(reading: Reading) -> Reading:
    prepared = reading.prepared
    return reading if prepared is None else replace(reading, prepared=prepared.clone())


def _as_it_is(item: ItemT) -> ItemT:
    return item
