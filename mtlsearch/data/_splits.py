"""Splits: which image of which source belongs to ``train``, ``val`` and ``test``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtlsearch.errors import DataError
from mtlsearch.plugin import DatasetSource

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Reference to one image of one source.

    Attributes:
        source: index of the source.
        split: split of the image in the source.
        index: index of the image in that split.
    """

    source: int
    split: str
    index: int


Splits = Mapping[str, tuple[ImageRef, ...]]


def make_splits(
    sources: Sequence[DatasetSource], *, val_fraction: float, max_images: int | None, seed: int
) -> Splits:
    """Assign the images of all sources to splits.

    If a source has no ``val`` split, a random fraction of its ``train`` split is held out; both
    get at least one image. ``max_images`` then takes a random subset of each split, because the
    first images of a sorted list may all be of one class.

    Args:
        sources: the sources.
        val_fraction: fraction of ``train`` to hold out, 0 to 1.
        max_images: maximum number of images per split; None for no limit.
        seed: seed of both random choices.

    Returns:
        The images of each split: source after source, in the order of the source.

    Raises:
        DataError: ``train`` or ``val`` is empty.
    """
    splits: dict[str, list[ImageRef]] = {name: [] for name in SPLITS}
    for number, source in enumerate(sources):
        refs = {name: _all_refs(number, source, name) for name in SPLITS}
        if not refs["val"] and val_fraction > 0:
            generator = np.random.default_rng([seed, number])
            refs["train"], refs["val"] = _hold_out(refs["train"], val_fraction, generator)
        for name in SPLITS:
            splits[name] += refs[name]
    for name in ("train", "val"):
        if not splits[name]:
            raise DataError(
                f"no source has images in its {name!r} split",
                where=f"data.sources: {_split_sizes(sources)}",
                next_step=_next_step(name, val_fraction),
            )
    return {name: _limit(refs, max_images, seed) for name, refs in splits.items()}


def describe_held_out(sources: Sequence[DatasetSource], val_fraction: float) -> tuple[str, ...]:
    """Return which sources have no ``val`` split, so that images of ``train`` are held out.

    Args:
        sources: the sources.
        val_fraction: fraction of ``train`` that is held out.

    Returns:
        One line per such source.
    """
    return tuple(
        f"source {number} ({source.name}) has no `val` split: {val_fraction:.0%} of its "
        f"{source.size('train')} `train` images are held out at random (`data.val_fraction`)"
        for number, source in enumerate(sources, start=1)
        if not source.size("val") and source.size("train") > 1 and val_fraction > 0
    )


def _split_sizes(sources: Sequence[DatasetSource]) -> str:
    """Return the number of images per source and split."""
    parts = []
    for number, source in enumerate(sources, start=1):
        sizes = ", ".join(f"{source.size(name)} {name}" for name in SPLITS)
        parts.append(f"source {number} ({source.name}) has {sizes}")
    return ", ".join(parts)


def _next_step(empty_split: str, val_fraction: float) -> str:
    if empty_split == "train":
        return "assign images to it in the source's settings, lists or split column"
    if val_fraction > 0:  # a source with a single image keeps it in 'train'
        return "add images to 'train': it needs at least two, one of which is held out"
    return "assign images to it, or set `data.val_fraction` above 0 to hold out a part of 'train'"


def _all_refs(source_index: int, source: DatasetSource, split: str) -> list[ImageRef]:
    return [ImageRef(source_index, split, index) for index in range(source.size(split))]


def _hold_out(
    refs: list[ImageRef], fraction: float, generator: np.random.Generator
) -> tuple[list[ImageRef], list[ImageRef]]:
    if len(refs) < 2:
        return refs, []
    num_held_out = min(max(round(fraction * len(refs)), 1), len(refs) - 1)
    held_out = set(generator.permutation(len(refs))[:num_held_out].tolist())
    remaining = [ref for row, ref in enumerate(refs) if row not in held_out]
    return remaining, [ref for row, ref in enumerate(refs) if row in held_out]


def _limit(refs: list[ImageRef], max_images: int | None, seed: int) -> tuple[ImageRef, ...]:
    if max_images is None or len(refs) <= max_images:
        return tuple(refs)
    chosen = np.random.default_rng([seed, len(refs)]).permutation(len(refs))[:max_images]
    return tuple(refs[row] for row in sorted(chosen.tolist()))
