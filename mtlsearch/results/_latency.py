"""How long a network takes, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Latency:
    """Times of a forward in evaluation mode, medians of many.

    Attributes:
        ms: milliseconds for one image.
        batch: images of the other batch that was timed.
        batch_ms: milliseconds for all of that batch.
    """

    ms: float
    batch: int
    batch_ms: float

    def to_json(self) -> dict[str, float | int]:
        """A JSON-ready form; :meth:`from_json` reads it back."""
        return {"ms": self.ms, "batch": self.batch, "batch_ms": self.batch_ms}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Latency:
        """What :meth:`to_json` wrote."""
        return cls(float(value["ms"]), int(value["batch"]), float(value["batch_ms"]))
