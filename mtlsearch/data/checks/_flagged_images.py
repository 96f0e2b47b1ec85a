"""What reading an image lost: dropped bands and contrast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mtlsearch.images import NUM_BANDS, AnyImage, Bands, PixelFormat, contrast

MIN_CONTRAST = 20
"""Least difference of two pixels of a band, of 255; 12 bits in 16 give at most 16."""

MAX_EXAMPLES = 3
"""Number of images that a warning names."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What reading one image lost.

    Attributes:
        num_bands: number of bands of the file if the network does not get them all, else 0.
        is_flat: whether hardly any contrast is left.
        is_deep: whether the file has more than 8 bits, which ``data.pixel_range`` scales.
    """

    num_bands: int = 0
    is_flat: bool = False
    is_deep: bool = False

    @classmethod
    def of(
        cls, original: AnyImage, read: AnyImage, resized: Bands, pixel_format: PixelFormat
    ) -> ImageFacts:
        """Compare an image before and after its conversion.

        Args:
            original: the image as its file has it.
            read: the result of ``pixel_format``.
            resized: the same after resizing. Its contrast is never larger, and faster to compute.
            pixel_format: the rule of the run.

        Returns:
            The facts.
        """
        return cls(
            _num_bands(original) if pixel_format.num_dropped(original) else 0,
            contrast(resized) < MIN_CONTRAST and contrast(read) < MIN_CONTRAST,
            _is_deep(original),
        )


def _num_bands(image: AnyImage) -> int:
    """Return the number of bands; alpha of a palette or of gray counts as the fourth band."""
    if isinstance(image, Bands):
        return len(image.values)
    return max(4, int(image.info.get(NUM_BANDS, 0)))


def _is_deep(image: AnyImage) -> bool:
    if isinstance(image, Bands):
        return image.values.dtype.itemsize > 1
    return image.mode[0] in "IF"


@dataclass(frozen=True, slots=True)
class FlaggedImages:
    """Images of one kind in a split.

    Attributes:
        count: number of images.
        examples: location of the first three.
    """

    count: int = 0
    examples: tuple[str, ...] = ()

    def add(self, where: str) -> FlaggedImages:
        """Return these images and one more.

        Args:
            where: location of the image.

        Returns:
            The new value.
        """
        return self + FlaggedImages(1, (where,))

    def __add__(self, other: FlaggedImages) -> FlaggedImages:
        """Return the images of both."""
        examples = (*self.examples, *other.examples)[:MAX_EXAMPLES]
        return FlaggedImages(self.count + other.count, examples)


@dataclass(frozen=True, slots=True)
class ImageCounts:
    """What reading the images of a split lost.

    Attributes:
        dropped: images with bands that the network does not get.
        num_bands: largest number of bands of these images.
        flat: images of at most 8 bits with hardly any contrast.
        flat_deep: images of more bits with hardly any contrast.
    """

    dropped: FlaggedImages = field(default_factory=FlaggedImages)
    num_bands: int = 0
    flat: FlaggedImages = field(default_factory=FlaggedImages)
    flat_deep: FlaggedImages = field(default_factory=FlaggedImages)

    def __add__(self, other: ImageCounts) -> ImageCounts:
        """Return the counts of two splits together."""
        return ImageCounts(
            self.dropped + other.dropped,
            max(self.num_bands, other.num_bands),
            self.flat + other.flat,
            self.flat_deep + other.flat_deep,
        )


def count_flagged(facts: Iterable[tuple[str, ImageFacts]]) -> ImageCounts:
    """Count the images that lost bands or contrast.

    Args:
        facts: location and facts of every image of a split.

    Returns:
        The counts.
    """
    dropped = flat = flat_deep = FlaggedImages()
    num_bands = 0
    for where, fact in facts:
        if fact.num_bands:
            dropped = dropped.add(where)
            num_bands = max(num_bands, fact.num_bands)
        if fact.is_flat and fact.is_deep:
            flat_deep = flat_deep.add(where)
        elif fact.is_flat:
            flat = flat.add(where)
    return ImageCounts(dropped, num_bands, flat, flat_deep)
