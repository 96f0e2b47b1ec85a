"""Modules and functions for heads."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from mtlsearch.errors import TrainingError
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import FeatureLevel, FeatureSpec
from mtlsearch.plugin.layers import FeaturePyramid, class_weights, conv_block, resize
from mtlsearch.plugin.layers._blocks import _by_products
from mtlsearch.testing import random_levels

strides = st.lists(st.sampled_from([2, 4, 7, 8, 14, 16, 28, 32]), min_size=1, max_size=5)
sizes = st.tuples(st.integers(17, 80), st.integers(17, 80))


@st.composite
def specs(draw: st.DrawFn) -> FeatureSpec:
    """Draw one to five levels and an image size."""
    sorted_strides = sorted(draw(strides))
    levels = tuple(
        FeatureLevel(4 * (level + 1), stride) for level, stride in enumerate(sorted_strides)
    )
    return FeatureSpec(levels, draw(sizes))


@settings(deadline=None, max_examples=60)
@given(specs(), st.sets(st.sampled_from([4, 8, 16, 32, 64]), min_size=1))
def test_pyramid_returns_the_target_strides(spec: FeatureSpec, targets: set[int]) -> None:
    """From any levels and sizes, with a gradient for every parameter."""
    pyramid = FeaturePyramid(spec, 8, sorted(targets))
    levels = random_levels(spec, 2, torch.Generator().manual_seed(0))
    maps = pyramid(levels)
    height, width = spec.image_size
    for stride, size, feature_map in zip(sorted(targets), pyramid.sizes, maps, strict=True):
        assert size == (-(-height // stride), -(-width // stride))
        assert feature_map.shape == (2, 8, *size)
    sum(feature_map.square().sum() for feature_map in maps).backward()
    missing = [name for name, weight in pyramid.named_parameters() if weight.grad is None]
    assert not missing


def test_pyramid_uses_measured_level_shapes() -> None:
    levels = (FeatureLevel(4, 8), FeatureLevel(8, 16))
    spec = FeatureSpec(levels, (64, 64), shapes=((7, 9), (3, 5)))
    maps = FeaturePyramid(spec, 8, (8, 16))(random_levels(spec, 1, torch.Generator()))
    assert [tuple(feature_map.shape[-2:]) for feature_map in maps] == [(8, 8), (4, 4)]


def test_pyramid_ignores_much_finer_levels() -> None:
    """They would have more FLOPs than the rest of a detection head."""
    levels = tuple(FeatureLevel(8, stride) for stride in (4, 8, 16))
    assert len(FeaturePyramid(FeatureSpec(levels, (64, 64)), 8, (8, 16)).lateral) == 2
    assert len(FeaturePyramid(FeatureSpec(levels[:1], (64, 64)), 8, (8, 16)).lateral) == 1


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 3), (3, 1)])
def test_pyramid_keeps_locations(row: int, column: int) -> None:
    """A change at one location of a level changes every map most at that location."""
    spec = FeatureSpec((FeatureLevel(4, 8), FeatureLevel(4, 16)), (64, 64))
    torch.manual_seed(row)
    pyramid = FeaturePyramid(spec, 8, (4, 8, 16))
    for block in (*pyramid.lateral, *pyramid.smooth):
        block[1] = nn.Identity()  # a norm mixes all pixels
    levels = random_levels(spec, 1, torch.Generator().manual_seed(0))
    changed = [levels[0], levels[1].clone()]
    changed[1][..., row, column] += 10
    for before, after in zip(pyramid(levels), pyramid(changed), strict=True):
        size = before.shape[-1]
        largest = int((after - before).abs().sum(1).argmax())
        assert (largest // size * 4 // size, largest % size * 4 // size) == pytest.approx(
            (row, column), abs=1
        )


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_resize_keeps_constants(height: int, width: int, to_height: int, to_width: int) -> None:
    resized = resize(torch.full((1, 2, height, width), 3.0), (to_height, to_width))
    torch.testing.assert_close(resized, torch.full((1, 2, to_height, to_width), 3.0))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_resize_averages_all_pixels(factor: int) -> None:
    maps = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    size = (16 // factor, 16 // factor)
    torch.testing.assert_close(resize(maps, size), F.avg_pool2d(maps, factor))


def test_class_weights_of_each_setting() -> None:
    label = LabelSpec(Form.CATEGORY, classes=("a", "b", "c"), counts=(1, 3, 0))
    assert class_weights(None, label, where="here") is None
    explicit = class_weights((1, 2, 3), label, where="here")
    assert explicit is not None
    assert explicit.tolist() == [1, 2, 3]
    balanced = class_weights("balanced", label, where="here")
    assert balanced is not None
    assert balanced.tolist() == pytest.approx([2, 2 / 3, 1])


def test_invalid_class_weights_raise() -> None:
    label = LabelSpec(Form.CATEGORY, classes=("a", "b"))
    with pytest.raises(TrainingError, match=r"were not counted(.|\n)*task it"):
        class_weights("balanced", label, where="task it")
    with pytest.raises(TrainingError, match="2 classes need 2 class weights, got 3"):
        class_weights((1, 2, 3), label, where="task it")


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(1, 40)] * 2), st.tuples(*[st.integers(1, 40)] * 2))
def test_resize_by_products_is_bilinear(size: tuple[int, int], new_size: tuple[int, int]) -> None:
    """Forward and backward, as training on a GPU computes it."""
    maps = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    plain, ours = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    expected = F.interpolate(plain, size=new_size, mode="bilinear", align_corners=False)
    actual = _by_products(ours, new_size)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    (expected * weights).sum().backward()
    (actual * weights).sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 16, 24])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 4)])
def test_conv_block_works_at_every_size(channels: int, size: tuple[int, int]) -> None:
    block = conv_block(5, channels).train()
    first, second = torch.rand(1, 5, *size), torch.rand(1, 5, *size)
    changed = (block(first) - block(second)).abs().max()
    assert changed > 1e-4  # the result depends on the input


def test_conv_block_equals_group_norm_where_that_works() -> None:
    for channels, size in ((8, (2, 1)), (16, (1, 1)), (24, (3, 5)), (3, (1, 1))):
        block, maps = conv_block(4, channels), torch.rand(2, 4, *size)
        norm = torch.nn.GroupNorm(math.gcd(channels, 8), channels)
        assert torch.equal(block(maps), block[2](norm(block[0](maps))))
