"""Every image read once before training begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mtlsearch.data._cache import SampleCache
from mtlsearch.data._counts import LabelCounts, Tally, add_up
from mtlsearch.data._images import Images
from mtlsearch.data._loading import Readings, readings
from mtlsearch.data._report import CheckReport, Problem


def check_splits(
    images: Images,
    cache: SampleCache,
    splits: Sequence[str],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> CheckReport:
    """Read all images of some splits; sound ones are kept in the cache."""
    total, done = sum(images.size(split) for split in splits), 0
    problems: list[Problem] = []
    counts: dict[str, dict[str, LabelCounts]] = {}
    for split in splits:
        tallies: list[dict[str, Tally]] = []
        indices = range(images.size(split))
        for index, reading in enumerate(readings(Readings(images, split), indices, workers)):
            problems.extend(reading.problems)
            if reading.prepared is not None:
                cache.put(split, index, reading.prepared)
                tallies.append(dict(reading.counts))
            done += 1
            if progress is not None:
                progress(done, total)
        counts[split] = add_up(tallies, images.labels)
    return CheckReport(tuple(problems), counts, {split: images.size(split) for split in splits})
