"""Feature pyramid for any backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mtlsearch.plan import FeatureSpec
from mtlsearch.plugin.layers._blocks import conv_block, resize

Size = tuple[int, int]

_STRIDE_TOLERANCE = 1.5
"""A level at most this factor finer than the finest target stride counts as that stride."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of the top-down path.

    Attributes:
        size: ``(height, width)`` of its map in pixels.
        levels: indices of the feature levels that are added.
        target: index of the output map; None if this map is not an output.
    """

    size: Size
    levels: tuple[int, ...]
    target: int | None


class FeaturePyramid(nn.Module):
    """Feature maps of given strides and equal channels from the levels of any backbone.

    Top-down path with lateral connections (Lin et al. 2017, "Feature Pyramid Networks"). Each
    level passes a 1x1 convolution with GroupNorm first, because backbones return levels without
    normalization. Sizes are fixed at construction, so the module can be exported with an open
    batch size.

    Levels of one stride, as in plain ViTs, are summed and resized (Li et al. 2022, "Exploring
    Plain Vision Transformer Backbones for Object Detection"). Targets coarser than all levels
    are resized from the coarsest map. Levels much finer than the finest target are not used if
    there are others.

    Attributes:
        strides: image pixels per pixel of each map.
        sizes: ``(height, width)`` of each map: the image size divided by the stride, rounded up.

    Args:
        features: feature levels of the backbone.
        channels: channels of each output map.
        strides: strides of the output maps, rising.
    """

    def __init__(self, features: FeatureSpec, channels: int, strides: Sequence[int]) -> None:
        super().__init__()
        height, width = features.image_size
        self.strides = tuple(strides)
        self.sizes = tuple((-(-height // stride), -(-width // stride)) for stride in self.strides)
        self._used = _used_levels(features, min(self.strides))
        self._steps = self._plan(features)
        self.lateral = nn.ModuleList(
            conv_block(features.levels[level].channels, channels, 1) for level in self._used
        )
        self.smooth = nn.ModuleList(conv_block(channels, channels) for _ in self.strides)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return one map per stride.

        Args:
            levels: feature levels ``[B, C_i, H_i, W_i]``, the finest first.

        Returns:
            Maps ``[B, channels, *size]`` in the order of :attr:`strides`.
        """
        coarse, map_by_target = self._descend(levels)
        for target in range(len(self.strides)):
            if target not in map_by_target:
                coarse = resize(coarse, self.sizes[target])
                map_by_target[target] = coarse
        return [smooth(map_by_target[target]) for target, smooth in enumerate(self.smooth)]

    def _descend(self, levels: Sequence[Tensor]) -> tuple[Tensor, dict[int, Tensor]]:
        """Return the coarsest map, and the output maps of the top-down path by target."""
        sides = {
            level: lateral(levels[level])
            for level, lateral in zip(self._used, self.lateral, strict=True)
        }
        map_by_target: dict[int, Tensor] = {}
        maps: list[Tensor] = []
        for step in self._steps:
            parts = [resize(sides[level], step.size) for level in step.levels]
            parts += [resize(previous, step.size) for previous in maps[-1:]]
            maps.append(sum(parts[1:], start=parts[0]))
            if step.target is not None:
                map_by_target[step.target] = maps[-1]
        return maps[0], map_by_target

    def _plan(self, features: FeatureSpec) -> tuple[_Step, ...]:
        """Return the steps from the coarsest level to the finest output map."""
        finest = min(self.strides)
        stride_by_level = {
            level: max(finest, features.levels[level].stride) for level in self._used
        }
        target_by_stride = {stride: target for target, stride in enumerate(self.strides)}
        coarsest = max(stride_by_level.values())
        reached = {stride for stride in self.strides if stride <= coarsest}
        steps = []
        for stride in sorted(reached | set(stride_by_level.values()), reverse=True):
            levels = tuple(level for level in self._used if stride_by_level[level] == stride)
            target = target_by_stride.get(stride)
            size = features.sizes[levels[0]] if target is None else self.sizes[target]
            steps.append(_Step(size, levels, target))
        return tuple(steps)


def _used_levels(features: FeatureSpec, finest: int) -> tuple[int, ...]:
    """Return the levels that are not much finer than the finest stride, or the coarsest ones."""
    strides = [level.stride for level in features.levels]
    limit = min(finest, max(strides) * _STRIDE_TOLERANCE)
    return tuple(
        level for level, stride in enumerate(strides) if stride * _STRIDE_TOLERANCE >= limit
    )
