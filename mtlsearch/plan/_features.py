"""Feature levels of a backbone, as values."""

from __future__ import annotations

from dataclasses import dataclass, field


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
        sizes: ``(height, width)`` of each level in pixels of the feature map.
    """

    levels: tuple[FeatureLevel, ...]
    image_size: tuple[int, int]
    shapes: tuple[tuple[int, int], ...] | None = None
    sizes: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        height, width = self.image_size
        by_stride = tuple(
            (-(-height // level.stride), -(-width // level.stride)) for level in self.levels
        )
        object.__setattr__(self, "sizes", by_stride if self.shapes is None else self.shapes)
