"""Feature levels of several kinds of backbone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Generator, Tensor

from mtlsearch.plugin import FeatureLevel, FeatureSpec


def _spec(image_size: tuple[int, int], *levels: tuple[int, int]) -> FeatureSpec:
    return FeatureSpec(tuple(FeatureLevel(*level) for level in levels), image_size)


FEATURES: Mapping[str, FeatureSpec] = MappingProxyType(
    {
        "cnn": _spec((64, 64), (8, 4), (16, 8), (24, 16), (32, 32)),
        "cnn from stride 2": _spec((64, 96), (8, 2), (8, 4), (16, 8), (24, 16), (32, 32)),
        "odd image": _spec((67, 45), (8, 4), (16, 8), (24, 16), (32, 32)),
        "plain vit": _spec((64, 64), (24, 16), (24, 16), (24, 16), (24, 16)),
        "vit of stride 14": _spec((70, 98), (24, 14), (24, 14), (24, 14), (24, 14)),
        "one level": _spec((64, 64), (32, 32)),
    }
)
"""Specifications by name, with few channels and small images."""


def random_levels(features: FeatureSpec, count: int, generator: Generator) -> list[Tensor]:
    """Return levels of normally distributed numbers.

    Args:
        features: channels and sizes of the levels.
        count: batch size.
        generator: source of the numbers.

    Returns:
        Levels ``[count, C_i, H_i, W_i]``, float32.
    """
    return [
        torch.randn(count, level.channels, *size, generator=generator)
        for level, size in zip(features.levels, features.sizes, strict=True)
    ]
