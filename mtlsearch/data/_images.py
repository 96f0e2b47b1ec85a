"""Images of a run: read, validated and resized one at a time."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from mtlsearch.data._samples import PreparedSample, prepare_sample
from mtlsearch.data._splits import Splits
from mtlsearch.data.checks import ImageFacts, Problem, Tally, count_labels, find_problems
from mtlsearch.errors import DataError
from mtlsearch.images import AnyImage, Bands, PixelFormat
from mtlsearch.labels import LabelSpec, Sample
from mtlsearch.plugin import DatasetSource

MAX_LISTED = 12
"""Maximum number of allowed values in a problem."""

NESTED = "a value is nested too deeply"


@dataclass(frozen=True, slots=True, eq=False)
class ReadResult:
    """Result of reading one image.

    Attributes:
        problems: what is wrong with the image or its labels.
        sample: the resized sample; None if there are problems.
        counts: counts by label; empty if there are problems.
        facts: what reading the image lost.
        digest: digest of the pixels; None if it was not requested or there are problems.
    """

    problems: tuple[Problem, ...]
    sample: PreparedSample | None
    counts: Mapping[str, Tally]
    facts: ImageFacts = field(default_factory=ImageFacts)
    digest: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """All images of a run by split and index.

    Attributes:
        sources: the sources.
        splits: the images of each split.
        labels: the union of the sources' labels.
        prepared_size: ``(height, width)`` after resizing, by split.
        pixel_format: rule that converts images to the network's bands.
    """

    sources: Sequence[DatasetSource]
    splits: Splits
    labels: Mapping[str, LabelSpec]
    prepared_size: Mapping[str, tuple[int, int]]
    pixel_format: PixelFormat = field(default_factory=PixelFormat)

    @property
    def input_size(self) -> tuple[int, int]:
        """``(height, width)`` of the network's input; evaluation resizes images to it."""
        return self.prepared_size["val"]

    def size(self, split: str) -> int:
        """Return the number of images in a split.

        Args:
            split: the split.

        Returns:
            Number of images.
        """
        return len(self.splits[split])

    def prepared_shape(self, split: str) -> tuple[int, int, int]:
        """Return the shape of a prepared image.

        Args:
            split: the split.

        Returns:
            ``(channels, height, width)``.
        """
        return self.pixel_format.num_channels, *self.prepared_size[split]

    def locate(self, split: str, index: int) -> str:
        """Return where an image comes from.

        Args:
            split: the split.
            index: index of the image in the split.

        Returns:
            The file, and the row in it.
        """
        ref = self.splits[split][index]
        return self.sources[ref.source].locate(ref.split, ref.index)

    def groups(self, split: str) -> list[Hashable]:
        """Return the group of each image; images of one group are not independent.

        Args:
            split: the split.

        Returns:
            Groups in the order of the split. An image without a group is a group of its own.
        """
        groups: list[Hashable] = []
        for index, ref in enumerate(self.splits[split]):
            group = self.sources[ref.source].group(ref.split, ref.index)
            groups.append(index if group is None else (ref.source, group))
        return groups

    def original(self, split: str, index: int) -> Sample:
        """Read an image and its labels in their original size.

        Args:
            split: the split.
            index: index of the image in the split.

        Returns:
            The sample with its image in the pixel format of the run.

        Raises:
            DataError: the image or a label cannot be read, or the image does not fit the pixel
                format.
        """
        sample = self._raw(split, index)
        where = self.locate(split, index)
        return replace(sample, image=self.pixel_format.apply(sample.image, where))

    def _raw(self, split: str, index: int) -> Sample:
        """Return the sample as its source reads it."""
        ref = self.splits[split][index]
        return self.sources[ref.source].read(ref.split, ref.index)

    def read(self, split: str, index: int, *, with_digest: bool = False) -> ReadResult:
        """Read, validate, count and resize one image; problems are returned, not raised.

        Args:
            split: the split.
            index: index of the image in the split.
            with_digest: whether to compute a digest of the pixels, which takes a third of the
                time of decoding.

        Returns:
            The sample or its problems.
        """
        try:
            raw = self._raw(split, index)
            sample = replace(raw, image=self.pixel_format.apply(raw.image))
        except DataError as error:
            where = error.where or self.locate(split, index)
            problem = Problem(split, index, where, _one_line(error), error.next_step or "")
            return ReadResult((problem,), None, {})
        except RecursionError:
            problem = Problem(split, index, self.locate(split, index), NESTED)
            return ReadResult((problem,), None, {})
        labels = self.sources[self.splits[split][index].source].labels
        problems = find_problems(sample, labels)
        if problems:
            where = self.locate(split, index)
            return ReadResult(
                tuple(Problem(split, index, where, what, fix) for what, fix in problems), None, {}
            )
        prepared = prepare_sample(sample, labels, self.prepared_size[split])
        facts = ImageFacts.of(
            raw.image,
            sample.image,
            Bands(prepared.image.numpy()),
            self.pixel_format,
            self.input_size,
        )
        counts = count_labels(sample, prepared, labels, self.input_size)
        digest = _digest(sample.image) if with_digest else None
        return ReadResult((), prepared, counts, facts, digest)


def _digest(image: AnyImage) -> bytes:
    digest = blake2b(repr(image.size).encode(), digest_size=16)
    digest.update(image.tobytes())
    return digest.digest()


def _one_line(error: DataError) -> str:
    """Return what is wrong and what is allowed."""
    if not error.allowed:
        return error.what
    allowed = ", ".join(error.allowed[:MAX_LISTED])
    rest = len(error.allowed) - MAX_LISTED
    return f"{error.what} (allowed: {allowed}{f' and {rest} more' if rest > 0 else ''})"
