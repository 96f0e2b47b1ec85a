"""Modules for heads."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from mtlsearch.errors import TrainingError
from mtlsearch.labels import Form, LabelSpec
from mtlsearch.plugin import FeatureLevel, FeatureSpec
from mtlsearch.plugin.layers import FeaturePyramid, class_weights, resize
from mtlsearch.plugin.layers._blocks import _by_products
from mtlsearch.testing import random_levels

strides = st.lists(st.sampled_from([2, 4, 7, 8, 14, 16, 28, 32]), min_size=1, max_size=5)
sizes = st.tuples(st.integers(17, 80), st.integers(17, 80))


@st.composite
def specs(draw: st.DrawFn) -> FeatureSpec:
    of_levels = sorted(draw(strides))
    levels = tuple(FeatureLevel(4 * (at + 1), stride) for at, stride in enumerate(of_levels))
    return FeatureSpec(levels, draw(sizes))


@settings(deadline=None, max_examples=60)
@given(specs(), st.sets(st.sampled_from([4, 8, 16, 32, 64]), min_size=1))
def test_a_pyramid_gives_the_strides_asked_for(spec: FeatureSpec, wanted: set[int]) -> None:
    """From any levels, in any size, with a gradient for every weight."""
    pyramid = FeaturePyramid(spec, 8, sorted(wanted))
    levels = random_levels(spec, 2, torch.Generator().manual_seed(0))
    maps = pyramid(levels)
    height, width = spec.image_size
    for stride, size, each in zip(sorted(wanted), pyramid.sizes, maps, strict=True):
        assert size == (-(-height // stride), -(-width // stride))
        assert each.shape == (2, 8, *size)
    sum(each.square().sum() for each in maps).backward()
    untouched = [name for name, one in pyramid.named_parameters() if one.grad is None]
    assert not untouched


def test_sizes_that_were_seen_win_over_sizes_by_stride() -> None:
    levels = (FeatureLevel(4, 8), FeatureLevel(8, 16))
    spec = FeatureSpec(levels, (64, 64), shapes=((7, 9), (3, 5)))
    maps = FeaturePyramid(spec, 8, (8, 16))(random_levels(spec, 1, torch.Generator()))
    assert [tuple(each.shape[-2:]) for each in maps] == [(8, 8), (4, 4)]


def test_much_finer_levels_are_left_out() -> None:
    """They would cost more than all the rest of a detection head."""
    levels = tuple(FeatureLevel(8, stride) for stride in (4, 8, 16))
    assert len(FeaturePyramid(FeatureSpec(levels, (64, 64)), 8, (8, 16)).lateral) == 2
    assert len(FeaturePyramid(FeatureSpec(levels[:1], (64, 64)), 8, (8, 16)).lateral) == 1


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 3), (3, 1)])
def test_place_is_kept(row: int, column: int) -> None:
    """A change in a corner of a level is seen in that corner of every map."""
    spec = FeatureSpec((FeatureLevel(4, 8), FeatureLevel(4, 16)), (64, 64))
    torch.manual_seed(row)
    pyramid = FeaturePyramid(spec, 8, (4, 8, 16))
    for block in (*pyramid.lateral, *pyramid.smooth):
        block[1] = nn.Identity()  # a norm tells every pixel of every other
    levels = random_levels(spec, 1, torch.Generator().manual_seed(0))
    changed = [levels[0], levels[1].clone()]
    changed[1][..., row, column] += 10
    for before, after in zip(pyramid(levels), pyramid(changed), strict=True):
        size = before.shape[-1]
        most = int((after - before).abs().sum(1).argmax())
        assert (most // size * 4 // size, most % size * 4 // size) == pytest.approx(
            (row, column), abs=1
        )


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_resizing_keeps_constants(high: int, wide: int, to_high: int, to_wide: int) -> None:
    resized = resize(torch.full((1, 2, high, wide), 3.0), (to_high, to_wide))
    torch.testing.assert_close(resized, torch.full((1, 2, to_high, to_wide), 3.0))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_resizing_passes_over_no_pixel(factor: int) -> None:
    maps = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    size = (16 // factor, 16 // factor)
    torch.testing.assert_close(resize(maps, size), F.avg_pool2d(maps, factor))


def test_class_weights() -> None:
    label = LabelSpec(Form.CATEGORY, classes=("a", "b", "c"), counts=(1, 3, 0))
    assert class_weights(None, label, where="here") is None
    given_weights = class_weights((1, 2, 3), label, where="here")
    assert given_weights is not None
    assert given_weights.tolist() == [1, 2, 3]
    balanced = class_weights("balanced", label, where="here")
    assert balanced is not None
    assert balanced.tolist() == pytest.approx([2, 2 / 3, 1])


def test_class_weights_that_cannot_be_had_are_explained() -> None:
    label = LabelSpec(Form.CATEGORY, classes=("a", "b"))
    with pytest.raises(TrainingError, match=r"have not been counted(.|\n)*task it"):
        class_weights("balanced", label, where="task it")
    with pytest.raises(TrainingError, match="3 class weights for 2 classes"):
        class_weights((1, 2, 3), label, where="task it")


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(1, 40)] * 2), st.tuples(*[st.integers(1, 40)] * 2))
def test_resizing_by_products_is_bilinear_resizing(
    have: tuple[int, int], want: tuple[int, int]
) -> None:
    """Forward and backward, as training on a GPU does it."""
    maps = torch.randn(2, 3, *have, generator=torch.Generator().manual_seed(0))
    plain, ours = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    expected = F.interpolate(plain, size=want, mode="bilinear", align_corners=False)
    found = _by_products(ours, want)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad, rtol=1e-4, atol=1e-4)
