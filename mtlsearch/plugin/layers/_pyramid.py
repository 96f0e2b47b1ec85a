"""A feature pyramid for any backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mtlsearch.plan import FeatureSpec
from mtlsearch.plugin.layers._blocks import conv_block, resize

Size = tuple[int, int]

_NEAR = 1.5
"""A level this much finer than the finest stride asked for still counts as that stride."""


@dataclass(frozen=True, slots=True)
class _Rung:
    """One step of the way down: ``size`` in pixels, the levels that join, what leaves."""

    size: Size
    joins: tuple[int, ...]
    leaves: int | None


class FeaturePyramid(nn.Module):
    """Feature maps of given strides and equal channels from whatever levels there are.

    Top-down with lateral connections (Lin et al. 2017, Feature Pyramid Networks), by
    bilinear resizing to sizes that are known beforehand, so it can be exported with an open
    batch size. Levels of one stride, as plain ViTs have, are summed and resized (Li et al.
    2022, Exploring Plain Vision Transformer Backbones). Strides coarser than any level are
    shrunk from the coarsest. Levels much finer than the finest stride are left out, where
    there are others. Each level passes a norm first, since backbones give theirs without.

    Args:
        features: the levels it is given.
        channels: channels of every map it returns.
        strides: their strides, rising.

    Attributes:
        strides: image pixels per pixel of each map.
        sizes: ``(height, width)`` of each map: the image's divided by the stride, rounded up.
    """

    def __init__(self, features: FeatureSpec, channels: int, strides: Sequence[int]) -> None:
        super().__init__()
        height, width = features.image_size
        self.strides = tuple(strides)
        self.sizes = tuple((-(-height // each), -(-width // each)) for each in self.strides)
        self._used = _used_levels(features, min(self.strides))
        self._rungs = self._plan(features)
        self.lateral = nn.ModuleList(
            conv_block(features.levels[level].channels, channels, 1) for level in self._used
        )
        self.smooth = nn.ModuleList(conv_block(channels, channels) for _ in self.strides)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Maps ``[B, channels, *size]``, one a stride, from levels ``[B, C_i, H_i, W_i]``."""
        merged, below = self._descend(levels)
        coarse = merged
        for target in range(len(self.strides)):
            if target not in below:
                coarse = resize(coarse, self.sizes[target])
                below[target] = coarse
        return [smooth(below[target]) for target, smooth in enumerate(self.smooth)]

    def _descend(self, levels: Sequence[Tensor]) -> tuple[Tensor, dict[int, Tensor]]:
        """The map of the coarsest level, and by target those that leave on the way down."""
        sides = {
            level: lateral(levels[level])
            for level, lateral in zip(self._used, self.lateral, strict=True)
        }
        left: dict[int, Tensor] = {}
        steps: list[Tensor] = []
        for rung in self._rungs:
            parts = [resize(sides[level], rung.size) for level in rung.joins]
            parts += [resize(before, rung.size) for before in steps[-1:]]
            steps.append(sum(parts[1:], start=parts[0]))
            if rung.leaves is not None:
                left[rung.leaves] = steps[-1]
        return steps[0], left

    def _plan(self, features: FeatureSpec) -> tuple[_Rung, ...]:
        """From the coarsest level down to the finest map asked for."""
        finest = min(self.strides)
        of_level = {level: max(finest, features.levels[level].stride) for level in self._used}
        of_target = {stride: target for target, stride in enumerate(self.strides)}
        coarsest = max(of_level.values())
        reached = {stride for stride in self.strides if stride <= coarsest}
        rungs = []
        for stride in sorted(reached | set(of_level.values()), reverse=True):
            joins = tuple(level for level in self._used if of_level[level] == stride)
            leaves = of_target.get(stride)
            size = features.sizes[joins[0]] if leaves is None else self.sizes[leaves]
            rungs.append(_Rung(size, joins, leaves))
        return tuple(rungs)


def _used_levels(features: FeatureSpec, finest: int) -> tuple[int, ...]:
    """The levels that are not much finer than the finest stride, or else the coarsest."""
    strides = [level.stride for level in features.levels]
    least = min(finest, max(strides) * _NEAR)
    return tuple(at for at, stride in enumerate(strides) if stride * _NEAR >= least)
