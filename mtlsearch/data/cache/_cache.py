"""Lookup of prepared samples in cache entries and in memory."""

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
    """Prepared samples: whole splits in files, single samples in memory.

    Args:
        images: the images of the run.
        folder: folder of the cache entries; None keeps all samples in memory.
        sources: the sources' settings in the run file.
    """

    def __init__(self, images: Images, folder: Path | None, sources: Sequence[SourceEntry]) -> None:
        self._images = images
        self._folder = folder
        self._sources = sources
        self._memory: dict[tuple[str, int], PreparedSample] = {}
        self._entries: dict[str, CacheEntry | None] = {}
        self._splits: dict[str, CachedSplit | None] = {}

    def entry(self, split: str) -> CacheEntry | None:
        """Return the cache entry of a split.

        Args:
            split: the split.

        Returns:
            The entry, which may not exist on disk yet; None if the split stays in memory.
        """
        if split not in self._entries:
            self._entries[split] = self._make_entry(split)
        return self._entries[split]

    def cached_split(self, split: str) -> CachedSplit | None:
        """Return the files of a split.

        Args:
            split: the split.

        Returns:
            The files; None if they do not exist.
        """
        if split not in self._splits:
            entry = self.entry(split)
            self._splits[split] = None if entry is None else entry.open()
        return self._splits[split]

    def set_cached_split(self, split: str, cached: CachedSplit | None) -> None:
        """Use these files for a split from now on.

        Args:
            split: the split.
            cached: its files.
        """
        self._splits[split] = cached

    def get(self, split: str, index: int) -> PreparedSample | None:
        """Return a sample.

        Args:
            split: the split.
            index: index of the image in the split.

        Returns:
            The sample; None if it is not in the cache.
        """
        cached = self.cached_split(split)
        return self._memory.get((split, index)) if cached is None else cached.get(index)

    def put(self, split: str, index: int, sample: PreparedSample) -> None:
        """Store a sample in memory.

        Args:
            split: the split.
            index: index of the image in the split.
            sample: the sample.
        """
        self._memory[split, index] = sample

    def missing_indices(self, split: str, size: int) -> list[int]:
        """List the samples of a split that are not in the cache.

        Args:
            split: the split.
            size: number of images in the split.

        Returns:
            Indices, in order.
        """
        if self.cached_split(split) is not None:
            return []
        return [index for index in range(size) if (split, index) not in self._memory]

    def _make_entry(self, split: str) -> CacheEntry | None:
        num_samples = self._images.size(split)
        if self._folder is None or num_samples == 0:
            return None
        name = fingerprint(self._images, split, self._sources)
        if name is None:
            return None
        return CacheEntry(self._folder / name, self._images.labels, num_samples)
