"""What a head gets to see of a backbone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeatureLevel:
    """One feature map of a backbone: ``[B, channels, H / stride, W / stride]``."""

    channels: int
    stride: int


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The feature maps a head is given, finest first.

    Attributes:
        levels: channels and strides; hierarchical backbones have rising strides
            (4, 8, 16, 32), plain ViTs the same stride on every level.
        image_size: ``(height, width)`` of the network's input in pixels.
        shapes: ``(height, width)`` of every level where a dry run saw them; by default
            the input size divided by the stride, rounded up.
    """

    levels: tuple[FeatureLevel, ...]
    image_size: tuple[int, int]
    shapes: tuple[tuple[int, int], ...] | None = None

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """``(height, width)`` of every level."""
        if self.shapes is not None:
            return self.shapes
        height, width = self.image_size
        return tuple((-(-height // at.stride), -(-width // at.stride)) for at in self.levels)
