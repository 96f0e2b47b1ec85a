"""Data check: read every image of some splits and fill the cache."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtlsearch.data._images import Images
from mtlsearch.data._loader import ImageDataset, read_images
from mtlsearch.data._samples import PreparedSample
from mtlsearch.data.cache import CacheEntry, SampleCache, SplitWriter, translate_disk_errors
from mtlsearch.data.checks import (
    CheckReport,
    ImageCounts,
    ImageFacts,
    LabelCounts,
    Problem,
    Tally,
    count_flagged,
    sum_tallies,
)


@dataclass(frozen=True, slots=True)
class SplitResult:
    """Result of checking one split.

    Attributes:
        problems: all problems, in the order of the images.
        counts: counts of valid images by label.
        flagged: what reading the images lost.
        digests: digest of the pixels of each image; empty for an image that cannot be read.
    """

    problems: Sequence[Problem]
    counts: Mapping[str, LabelCounts]
    flagged: ImageCounts
    digests: Sequence[bytes]


def check_splits(
    images: Images,
    cache: SampleCache,
    splits: Sequence[str],
    num_workers: int,
    progress: Callable[[int, int], None] | None,
    *,
    reread: bool,
) -> CheckReport:
    """Read all images of some splits and store the valid ones in the cache.

    Args:
        images: the images.
        cache: the cache; a split that it has on disk is not read again.
        splits: the splits.
        num_workers: number of processes that read.
        progress: called with the number of images done and of all images.
        reread: whether to read splits on disk as well.

    Returns:
        Problems, counts and duplicates.

    Raises:
        DataError: the cache folder is not writable.
    """
    total = sum(images.size(split) for split in splits)
    counter = _Counter(total, progress)
    counter.add(0)
    check = _Check(images, cache, num_workers, counter, reread)
    results = {split: check.split(split) for split in splits}
    return CheckReport(
        tuple(problem for result in results.values() for problem in result.problems),
        {split: result.counts for split, result in results.items()},
        {split: images.size(split) for split in splits},
        _duplicates(images, {split: result.digests for split, result in results.items()}),
        {split: result.flagged for split, result in results.items()},
        input_size=images.input_size,
    )


def _duplicates(
    images: Images, digests_by_split: Mapping[str, Sequence[bytes]]
) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Return split and file of every occurrence of the images that occur several times."""
    occurrences: dict[bytes, list[tuple[str, int]]] = {}
    for split, digests in digests_by_split.items():
        for index, digest in enumerate(digests):
            if digest:
                occurrences.setdefault(digest, []).append((split, index))
    return tuple(
        tuple((split, images.locate(split, index)) for split, index in places)
        for places in occurrences.values()
        if len(places) > 1
    )


@dataclass(slots=True)
class _Counter:
    """Number of images done, reported to a callback."""

    total: int
    progress: Callable[[int, int], None] | None
    done: int = 0

    def add(self, count: int) -> None:
        self.done += count
        if self.progress is not None:
            self.progress(self.done, self.total)


@dataclass(frozen=True, slots=True)
class _Check:
    images: Images
    cache: SampleCache
    num_workers: int
    counter: _Counter
    reread: bool

    def split(self, split: str) -> SplitResult:
        """Check one split, and write its cache entry if it does not exist."""
        entry = self.cache.entry(split)
        if entry is None:
            return self._read(split, lambda index, sample: self.cache.put(split, index, sample))
        if self.reread or self.cache.cached_split(split) is None:
            with entry.lock():
                # The process that held the lock before has probably written the entry.
                cached = entry.open()
                if cached is None:
                    return self._fill(split, entry)
            self.cache.set_cached_split(split, cached)
        cached = self.cache.cached_split(split)
        if cached is None or self.reread:
            return self._read(split, lambda index, sample: None)
        self.counter.add(self.images.size(split))
        return SplitResult((), cached.counts, cached.flagged, cached.digests)

    def _fill(self, split: str, entry: CacheEntry) -> SplitResult:
        """Read a split and write its cache entry, unless an image is bad."""
        temporary = entry.create_temp()
        try:
            with translate_disk_errors(entry.folder.parent):
                shape = self.images.prepared_shape(split)
                writer = SplitWriter(temporary, self.images.labels, entry.num_samples, shape)
            try:
                result = self._read(split, lambda index, sample: _add(writer, index, sample))
            finally:
                writer.close()
            if not result.problems:
                with translate_disk_errors(entry.folder.parent):
                    writer.finish(result.counts, result.flagged, result.digests)
                entry.commit(temporary)
                self.cache.set_cached_split(split, entry.open())
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return result

    def _read(self, split: str, store: Callable[[int, PreparedSample], None]) -> SplitResult:
        """Read all images of a split and pass the valid ones to ``store``."""
        problems: list[Problem] = []
        tallies: list[dict[str, Tally]] = []
        facts: list[tuple[str, ImageFacts]] = []
        indices = range(self.images.size(split))
        digests: list[bytes] = []
        dataset = ImageDataset(self.images, split, with_digest=True)
        for index, result in enumerate(read_images(dataset, indices, self.num_workers)):
            problems.extend(result.problems)
            digests.append(result.digest or b"")
            if result.sample is not None:
                store(index, result.sample)
                tallies.append(dict(result.counts))
                facts.append((self.images.locate(split, index), result.facts))
            self.counter.add(1)
        flagged = count_flagged(facts)
        return SplitResult(problems, sum_tallies(tallies, self.images.labels), flagged, digests)


def _add(writer: SplitWriter, index: int, sample: PreparedSample) -> None:
    # After a bad image nothing is written, because the entry will not be committed.
    if index == writer.num_written:
        with translate_disk_errors(writer.folder):
            writer.add(sample)
