"""Which image of which source stands where in a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtlsearch.errors import DataError
from mtlsearch.plugin import DatasetSource

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One image: the source it comes from, and the split and index it has there."""

    source: int
    split: str
    index: int


Splits = Mapping[str, tuple[ImageRef, ...]]


def make_splits(
    sources: Sequence[DatasetSource], *, val_fraction: float, limit: int | None, seed: int
) -> Splits:
    """Every split's images: source after source, each in its own order.

    Where a source has no ``val`` split, a part of its ``train`` drawn by the seed is held
    out; at least one image goes to either side. A ``limit`` then keeps that many of each
    split, drawn by the seed too: the first ones of a sorted list would be all of one kind.

    Raises:
        DataError: nothing is left to train on or to validate on.
    """
    splits: dict[str, list[ImageRef]] = {name: [] for name in SPLITS}
    for number, source in enumerate(sources):
        own = {name: _whole(number, source, name) for name in SPLITS}
        if not own["val"] and val_fraction > 0:
            chance = np.random.default_rng([seed, number])
            own["train"], own["val"] = _hold_out(own["train"], val_fraction, chance)
        for name in SPLITS:
            splits[name] += own[name]
    for name in ("train", "val"):
        if not splits[name]:
            raise DataError(
                f"no source has images in its {name!r} split",
                where=_found(sources),
                next_step=_way_out(name, val_fraction),
            )
    return {name: _limited(rows, limit, seed) for name, rows in splits.items()}


def _found(sources: Sequence[DatasetSource]) -> str:
    """How many images each source has in each of its splits."""
    said = []
    for number, source in enumerate(sources, start=1):
        sizes = ", ".join(f"{source.size(name)} {name}" for name in SPLITS)
        said.append(f"source {number} ({source.name}) has {sizes}")
    return f"data.sources: {'; '.join(said)}"


def _way_out(missing: str, val_fraction: float) -> str:
    if missing == "train":
        return "give it some, by the source's settings, lists or split column"
    if val_fraction > 0:  # a source with a single image keeps it
        return "give 'train' at least two images: one of them will be held out"
    return "give it some, or set data.val_fraction above 0 to hold some out of 'train'"


def _whole(number: int, source: DatasetSource, split: str) -> list[ImageRef]:
    return [ImageRef(number, split, index) for index in range(source.size(split))]


def _hold_out(
    rows: list[ImageRef], fraction: float, chance: np.random.Generator
) -> tuple[list[ImageRef], list[ImageRef]]:
    if len(rows) < 2:
        return rows, []
    count = min(max(round(fraction * len(rows)), 1), len(rows) - 1)
    held = set(chance.permutation(len(rows))[:count].tolist())
    kept = [row for at, row in enumerate(rows) if at not in held]
    return kept, [row for at, row in enumerate(rows) if at in held]


def _limited(rows: list[ImageRef], limit: int | None, seed: int) -> tuple[ImageRef, ...]:
    if limit is None or len(rows) <= limit:
        return tuple(rows)
    chosen = np.random.default_rng([seed, len(rows)]).permutation(len(rows))[:limit]
    return tuple(rows[at] for at in sorted(chosen.tolist()))
