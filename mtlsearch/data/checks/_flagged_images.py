"""What reading an image lost: dropped bands and contrast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mtlsearch.images import NUM_BANDS, AnyImage, Bands, PixelFormat, contrast

MIN_CONTRAST = 20
"""Least difference of two pixels of a band, of 255; 12 bits in 16 give at most 16."""

MAX_EXAMPLES = 3
"""Number of images that a warning names."""

MIN_STRETCH = 1.9
"""Factor between the aspect ratios of an image and of the input from which objects look unlike
themselves."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What reading one image lost.

    Attributes:
        num_bands: number of bands of the file if the network does not get them all, else 0.
        is_flat: whether hardly any contrast is left.
        is_deep: whether the file has more than 8 bits, which ``data.pixel_range`` scales.
        stretched_size: ``(width, height)`` of the file if the input of the network has a very
            different aspect ratio, else None.
    """

    num_bands: int = 0
    is_flat: bool = False
    is_deep: bool = False
    stretched_size: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        original: AnyImage,
        read: AnyImage,
        resized: Bands,
        pixel_format: PixelFormat,
        input_size: tuple[int, int],
    ) -> ImageFacts:
        """Compare an image before and after its conversion.

        Args:
            original: the image as its file has it.
            read: the result of ``pixel_format``.
            resized: the same after resizing. Its contrast is never larger, and faster to compute.
            pixel_format: the rule of the run.
            input_size: ``(height, width)`` of the network's input.

        Returns:
            The facts.
        """
        return cls(
            _num_bands(original) if pixel_format.num_dropped(original) else 0,
            contrast(resized) < MIN_CONTRAST and contrast(read) < MIN_CONTRAST,
            _is_deep(original),
            original.size if _stretch(original.size, input_size) >= MIN_STRETCH else None,
        )


def _stretch(size: tuple[int, int], input_size: tuple[int, int]) -> float:
    """Return the factor between two aspect ratios, at least 1."""
    (width, height), (input_height, input_width) = size, input_size
    ratio = (width * input_height) / (height * input_width)
    return max(ratio, 1 / ratio)


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
        stretched: images of a very different aspect ratio than the network's input.
    """

    dropped: FlaggedImages = field(default_factory=FlaggedImages)
    num_bands: int = 0
    flat: FlaggedImages = field(default_factory=FlaggedImages)
    flat_deep: FlaggedImages = field(default_factory=FlaggedImages)
    stretched: FlaggedImages = field(default_factory=FlaggedImages)

    def __add__(self, other: ImageCounts) -> ImageCounts:
        """Return the counts of two splits together."""
        return ImageCounts(
            self.dropped + other.dropped,
            max(self.num_bands, other.num_bands),
            self.flat + other.flat,
            self.flat_deep + other.flat_deep,
            self.stretched + other.stretched,
        )


def count_flagged(facts: Iterable[tuple[str, ImageFacts]]) -> ImageCounts:
    """Count the images that lost bands or contrast, or that are stretched.

    Args:
        facts: location and facts of every image of a split.

    Returns:
        The counts.
    """
    dropped = flat = flat_deep = stretched = FlaggedImages()
    num_bands = 0
    for where, fact in facts:
        if fact.num_bands:
            dropped = dropped.add(where)
            num_bands = max(num_bands, fact.num_bands)
        if fact.stretched_size is not None:
            width, height = fact.stretched_size
            stretched = stretched.add(f"{where}, {height} x {width}")
        if fact.is_flat and fact.is_deep:
            flat_deep = flat_deep.add(where)
        elif fact.is_flat:
            flat = flat.add(where)
    return ImageCounts(dropped, num_bands, flat, flat_deep, stretched)
