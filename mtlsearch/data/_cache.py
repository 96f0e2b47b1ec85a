"""Prepared samples, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtlsearch.data._prepared import Prepared


@dataclass(frozen=True, slots=True)
class SampleCache:
    """What was decoded once: prepared samples by split and index."""

    _kept: dict[tuple[str, int], Prepared] = field(default_factory=dict)

    def get(self, split: str, index: int) -> Prepared | None:
        """The sample, or None where it was not kept yet."""
        return self._kept.get((split, index))

    def put(self, split: str, index: int, prepared: Prepared) -> None:
        """Keep a sample."""
        self._kept[split, index] = prepared

    def missing(self, split: str, size: int) -> list[int]:
        """The indices below ``size`` that are not kept yet."""
        return [index for index in range(size) if (split, index) not in self._kept]

    @property
    def nbytes(self) -> int:
        """Memory that all kept samples take, in bytes."""
        return sum(prepared.nbytes for prepared in self._kept.values())
