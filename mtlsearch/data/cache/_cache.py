"""Prepared samples, kept in memory or in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtlsearch.config import SourceEntry
from mtlsearch.data._images import Images
from mtlsearch.data._samples import PreparedSample
from mtlsearch.data.cache._entry import CacheEntry
from mtlsearch.data.cache._fingerprint import fingerprint
from mtlsearch.data.cache._split_file import CachedSplit


class SampleCache:
    """What was decoded once: whole splits in files, single samples in memory.

    Args:
        images: the images of the run.
        folder: where splits are kept as files; None keeps everything in memory.
        entries: the sources' settings in the run file.
    """

    def __init__(self, images: Images, folder: Path | None, entries: Sequence[SourceEntry]) -> None:
        self._images = images
        self._folder = folder
        self._entries = entries
        self._memory: dict[tuple[str, int], PreparedSample] = {}
        self._places: dict[str, CacheEntry | None] = {}
        self._splits: dict[str, CachedSplit | None] = {}

    def place(self, split: str) -> CacheEntry | None:
        """Where the split's files belong; None where it is kept in memory."""
        if split not in self._places:
            self._places[split] = self._find_place(split)
        return self._places[split]

    def split(self, split: str) -> CachedSplit | None:
        """The split's files, where they are there."""
        if split not in self._splits:
            place = self.place(split)
            self._splits[split] = None if place is None else place.open()
        return self._splits[split]

    def adopt(self, split: str, kept: CachedSplit | None) -> None:
        """Go by these files from now on."""
        self._splits[split] = kept

    def get(self, split: str, index: int) -> PreparedSample | None:
        """The sample, or None where it was not kept yet."""
        kept = self.split(split)
        return self._memory.get((split, index)) if kept is None else kept.get(index)

    def put(self, split: str, index: int, prepared: PreparedSample) -> None:
        """Keep a sample in memory."""
        self._memory[split, index] = prepared

    def missing(self, split: str, size: int) -> list[int]:
        """The indices below ``size`` that are not kept yet."""
        if self.split(split) is not None:
            return []
        return [index for index in range(size) if (split, index) not in self._memory]

    def _find_place(self, split: str) -> CacheEntry | None:
        count = self._images.size(split)
        if self._folder is None or count == 0:
            return None
        name = fingerprint(self._images, split, self._entries)
        return None if name is None else CacheEntry(self._folder / name, self._images.labels, count)
