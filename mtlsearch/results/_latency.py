"""Latency of a network, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Median times of a forward pass in evaluation mode.

    Attributes:
        ms: milliseconds for one image.
        batch: number of images in the larger batch.
        batch_ms: milliseconds for the larger batch.
    """

    ms: float
    batch: int
    batch_ms: float
