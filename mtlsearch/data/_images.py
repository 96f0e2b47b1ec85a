"""The images of a run: read, checked and resized, one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from PIL import Image

from mtlsearch.data._samples import PreparedSample, prepare_sample
from mtlsearch.data._splits import Splits
from mtlsearch.data.checks import Problem, Tally, problems_of, tally
from mtlsearch.errors import DataError
from mtlsearch.labels import LabelSpec, Sample
from mtlsearch.plugin import DatasetSource

SHOWN = 12
"""How many allowed values a problem names."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadResult:
    """What reading one image gave.

    Attributes:
        problems: what is wrong with it.
        prepared: the resized sample, where nothing is.
        counts: its labels and classes, where nothing is.
        digest: the same for the same pixels; None where it was not asked for or not read.
    """

    problems: tuple[Problem, ...]
    prepared: PreparedSample | None
    counts: Mapping[str, Tally]
    digest: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Every image of a run, by split and index.

    Attributes:
        sources: where they come from.
        splits: which of them stand in which split.
        labels: the union of what the sources know.
        kept_size: split to the ``(height, width)`` that its samples are kept in.
    """

    sources: Sequence[DatasetSource]
    splits: Splits
    labels: Mapping[str, LabelSpec]
    kept_size: Mapping[str, tuple[int, int]]

    def size(self, split: str) -> int:
        """How many images a split has."""
        return len(self.splits[split])

    def locate(self, split: str, index: int) -> str:
        """Where an image comes from."""
        address = self.splits[split][index]
        return self.sources[address.source].locate(address.split, address.index)

    def original(self, split: str, index: int) -> Sample:
        """An image and its labels as the source yields them.

        Raises:
            DataError: it cannot be read.
        """
        address = self.splits[split][index]
        return self.sources[address.source].read(address.split, address.index)

    def read(self, split: str, index: int, *, digest: bool = False) -> ReadResult:
        """Read, check, count and resize one image; what is wrong is told, not raised.

        Args:
            split: where it stands.
            index: and at which place.
            digest: tell its pixels from others', a third of the time of decoding them.
        """
        try:
            sample = self.original(split, index)
        except DataError as error:
            where = error.where or self.locate(split, index)
            return ReadResult((Problem(split, index, where, _said(error)),), None, {})
        address = self.splits[split][index]
        known = self.sources[address.source].labels
        wrong = problems_of(sample, known)
        if wrong:
            where = self.locate(split, index)
            return ReadResult(tuple(Problem(split, index, where, text) for text in wrong), None, {})
        prepared = prepare_sample(sample, known, self.kept_size[split])
        return ReadResult(
            (), prepared, tally(sample, known), _digest(sample.image) if digest else None
        )


def _digest(image: Image.Image) -> bytes:
    hashed = blake2b(repr(image.size).encode(), digest_size=16)
    hashed.update(image.tobytes())
    return hashed.digest()


def _said(error: DataError) -> str:
    """What is wrong and what would be right, on one line."""
    if not error.allowed:
        return error.what
    named = ", ".join(error.allowed[:SHOWN])
    rest = len(error.allowed) - SHOWN
    return f"{error.what} (allowed: {named}{f' and {rest} more' if rest > 0 else ''})"
