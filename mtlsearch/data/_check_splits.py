"""Every image read once before training begins."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mtlsearch.data._images import Images
from mtlsearch.data._loader import ImageDataset, image_dataset
from mtlsearch.data._samples import PreparedSample
from mtlsearch.data.cache import CacheEntry, SampleCache, SplitWriter, explained
from mtlsearch.data.checks import CheckReport, LabelCounts, Problem, Tally, add_up

Found = tuple[list[Problem], Mapping[str, LabelCounts]]


def check_splits(
    images: Images,
    cache: SampleCache,
    splits: Sequence[str],
    workers: int,
    progress: Callable[[int, int], None] | None,
    *,
    reread: bool,
) -> CheckReport:
    """Read all images of some splits; sound ones are kept in the cache.

    Args:
        images: the images.
        cache: keeps them; a split that it has in files was read before.
        splits: which splits.
        workers: processes that read.
        progress: is told how many images of how many are done.
        reread: read those in files too, and look for pictures that stand in several places.

    Raises:
        DataError: the files cannot be written.
    """
    total = sum(images.size(split) for split in splits)
    check = _Check(images, cache, workers, _Counter(total, progress), reread, _Pictures())
    found = {split: check.split(split) for split in splits}
    return CheckReport(
        tuple(problem for problems, _ in found.values() for problem in problems),
        {split: counts for split, (_, counts) in found.items()},
        {split: images.size(split) for split in splits},
        check.pictures.repeats(images),
    )


@dataclass(slots=True)
class _Counter:
    """Counts images and says so."""

    total: int
    progress: Callable[[int, int], None] | None
    done: int = 0

    def add(self, count: int) -> None:
        self.done += count
        if self.progress is not None:
            self.progress(self.done, self.total)


@dataclass(slots=True)
class _Pictures:
    """Remembers which pictures were seen where."""

    places: dict[bytes, list[tuple[str, int]]] = field(default_factory=dict)

    def add(self, digest: bytes | None, split: str, index: int) -> None:
        if digest is not None:
            self.places.setdefault(digest, []).append((split, index))

    def repeats(self, images: Images) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Split and place of each that was seen several times."""
        return tuple(
            tuple((split, images.locate(split, index)) for split, index in places)
            for places in self.places.values()
            if len(places) > 1
        )


@dataclass(frozen=True, slots=True)
class _Check:
    images: Images
    cache: SampleCache
    workers: int
    counter: _Counter
    reread: bool
    pictures: _Pictures

    def split(self, split: str) -> Found:
        place = self.cache.place(split)
        if place is None:
            return self._read(split, lambda at, sample: self.cache.put(split, at, sample))
        if self.reread or self.cache.split(split) is None:
            with place.locked():
                # Whoever held the lock before has probably written it.
                kept = place.open()
                if kept is None:
                    return self._fill(split, place)
            self.cache.adopt(split, kept)
        kept = self.cache.split(split)
        if kept is None or self.reread:
            return self._read(split, lambda at, sample: None)
        self.counter.add(self.images.size(split))
        return [], kept.counts

    def _fill(self, split: str, place: CacheEntry) -> Found:
        """Read a split to files; a bad image leaves none."""
        partial = place.begin()
        try:
            with explained(place.folder.parent):
                writer = SplitWriter(
                    partial, self.images.labels, place.count, self.images.kept_size[split]
                )
            try:
                problems, counts = self._read(split, lambda at, sample: _add(writer, at, sample))
            finally:
                writer.close()
            if not problems:
                with explained(place.folder.parent):
                    writer.finish(counts)
                place.publish(partial)
                self.cache.adopt(split, place.open())
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return problems, counts

    def _read(self, split: str, keep: Callable[[int, PreparedSample], None]) -> Found:
        problems: list[Problem] = []
        tallies: list[dict[str, Tally]] = []
        indices = range(self.images.size(split))
        found = image_dataset(ImageDataset(self.images, split, self.reread), indices, self.workers)
        for index, reading in enumerate(found):
            problems.extend(reading.problems)
            self.pictures.add(reading.digest, split, index)
            if reading.prepared is not None:
                keep(index, reading.prepared)
                tallies.append(dict(reading.counts))
            self.counter.add(1)
        return problems, add_up(tallies, self.images.labels)


def _add(writer: SplitWriter, index: int, sample: PreparedSample) -> None:
    # Behind a bad image nothing is written: the split will not be kept.
    if index == writer.rows:
        with explained(writer.folder):
            writer.add(sample)
