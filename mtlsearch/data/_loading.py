"""Batches, put together in this process or in others."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from torch.utils.data import DataLoader, Dataset

from mtlsearch.data._augment import Augment, plain
from mtlsearch.data._cache import SampleCache
from mtlsearch.data._collate import Collate
from mtlsearch.data._images import Images, Reading
from mtlsearch.data._prepared import Prepared
from mtlsearch.errors import DataError
from mtlsearch.plugin import Batch

ItemT = TypeVar("ItemT")

# Forked workers share the kept samples, where spawned ones are sent a copy each.
_CONTEXT = "fork" if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class View(Dataset[Prepared]):
    """One split's samples as an epoch sees them, or as evaluation does.

    Args:
        images: where a sample that is not kept comes from.
        cache: the kept ones.
        split: which split.
        size: ``(height, width)`` of the samples.
        augment: None for evaluation.
        epoch: which epoch, where there is augmentation.
    """

    images: Images
    cache: SampleCache
    split: str
    size: tuple[int, int]
    augment: Augment | None = None
    epoch: int = 0

    def __len__(self) -> int:
        return self.images.size(self.split)

    def __getitem__(self, index: int) -> Prepared:
        prepared = self.cache.get(self.split, index)
        if prepared is None:
            prepared = sound(self.images.read(self.split, index))
            self.cache.put(self.split, index, prepared)
        if self.augment is None:
            return plain(prepared, self.size)
        return self.augment(prepared, self.epoch, index)


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


def batches(
    view: View, order: Sequence[list[int]], collate: Collate, workers: int
) -> Iterator[Batch]:
    """The batches with these indices, one after the other."""
    if workers == 0:
        return (collate([view[index] for index in rows]) for rows in order)
    loader = DataLoader(
        view,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=collate,
        multiprocessing_context=_CONTEXT,
    )
    return iter(loader)


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
