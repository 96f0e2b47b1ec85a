"""Feature levels of a backbone, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeatureLevel:
    """One feature map of a backbone: ``[B, channels, H / stride, W / stride]``.

    Attributes:
        channels: number of channels.
        stride: image pixels per pixel of the feature map, along one side.
    """

    channels: int
    stride: int


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Feature levels that a head receives, the finest first.

    Attributes:
        levels: channels and stride of each level. Hierarchical backbones have rising strides
            (4, 8, 16, 32), plain ViTs one stride for all levels.
        image_size: ``(height, width)`` of the network's input in pixels.
        shapes: ``(height, width)`` of each level, measured on the backbone; by default
            ``image_size`` divided by the stride, rounded up.
    """

    levels: tuple[FeatureLevel, ...]
    image_size: tuple[int, int]
    shapes: tuple[tuple[int, int], ...] | None = None

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """``(height, width)`` of each level in pixels of the feature map."""
        if self.shapes is not None:
            return self.shapes
        height, width = self.image_size
        return tuple(
            (-(-height // level.stride), -(-width // level.stride)) for level in self.levels
        )
