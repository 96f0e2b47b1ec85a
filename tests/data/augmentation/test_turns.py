"""Flips and rotations move images, masks, maps and boxes together."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtlsearch.config import AugmentConfig
from mtlsearch.data.augmentation._geometry import Resample, transform_boxes
from mtlsearch.data.augmentation._params import (
    AugmentationParams,
    identity_params,
    sample_params,
)
from mtlsearch.plugin import BoxTargets

SIDE, COUNT = 12, 12
SIZE = (SIDE, SIDE)
ROWS = torch.arange(COUNT)
flags = st.lists(st.booleans(), min_size=COUNT, max_size=COUNT).map(torch.tensor)


def params_of(
    flip: Tensor, flip_vertical: Tensor | None = None, transpose: Tensor | None = None
) -> AugmentationParams:
    whole = identity_params(COUNT, SIZE)
    return AugmentationParams(
        whole.start, whole.extent, flip, whole.factors, whole.order, flip_vertical, transpose
    )


def images_of(seed: int) -> Tensor:
    return torch.rand(COUNT, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def one_box_per_image(seed: int) -> tuple[Tensor, list[BoxTargets]]:
    """Return masks ``[B, s, s]`` with one rectangle each, and the boxes of the rectangles."""
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(COUNT, SIDE, SIDE, dtype=torch.uint8)
    boxes = []
    for mask in masks:
        left, top = torch.randint(0, SIDE - 4, (2,), generator=generator).tolist()
        width, height = torch.randint(1, 5, (2,), generator=generator).tolist()
        mask[top : top + height, left : left + width] = 1
        xyxy = torch.tensor([[left, top, left + width, top + height]], dtype=torch.float32)
        boxes.append(BoxTargets(xyxy, torch.zeros(1, dtype=torch.int64), torch.zeros(1) > 0))
    return masks, boxes


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), flags, flags, flags, st.sampled_from([SIZE, (24, 24)]))
def test_boxes_follow_the_pixels_of_their_rectangle(
    seed: int, flip: Tensor, vertical: Tensor, transpose: Tensor, size: tuple[int, int]
) -> None:
    masks, boxes = one_box_per_image(seed)
    params = params_of(flip, vertical, transpose)
    moved_masks = Resample(params, SIZE, size).nearest(masks, ROWS)
    moved = transform_boxes(boxes, ROWS, params, size)
    for mask, targets in zip(moved_masks, moved, strict=True):
        y, x = mask.nonzero(as_tuple=True)
        expected = torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1]).float()
        assert torch.equal(targets.xyxy[0], expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), flags, flags, flags, st.sampled_from([SIZE, (24, 24)]))
def test_images_and_maps_move_alike(
    seed: int, flip: Tensor, vertical: Tensor, transpose: Tensor, size: tuple[int, int]
) -> None:
    """Every pixel of a constant block, so that interpolation does not matter."""
    blocks = images_of(seed)[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3)
    resample = Resample(params_of(flip, vertical, transpose), SIZE, size)
    centers = slice(size[0] // 6, None, size[0] // 3)
    images, maps = resample.images(blocks), resample.nearest(blocks, ROWS)
    torch.testing.assert_close(images[..., centers, centers], maps[..., centers, centers])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), flags)
def test_vertical_flip_twice_is_the_identity(seed: int, vertical: Tensor) -> None:
    images, (masks, boxes) = images_of(seed), one_box_per_image(seed)
    params = params_of(torch.zeros(COUNT) > 0, vertical)
    resample = Resample(params, SIZE, SIZE)
    assert torch.equal(resample.images(resample.images(images)), images)
    assert torch.equal(resample.nearest(resample.nearest(masks, ROWS), ROWS), masks)
    again = transform_boxes(transform_boxes(boxes, ROWS, params, SIZE), ROWS, params, SIZE)
    for before, after in zip(boxes, again, strict=True):
        assert torch.equal(before.xyxy, after.xyxy)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_sampled_rotations_are_those_of_torch(turns: int) -> None:
    """Without flips, every image is one of its four rotations; each of three occurs."""
    config = AugmentConfig(crop=None, flip=0, jitter=0, rotate_90=1.0)
    params = sample_params(config, SIZE, SIZE, seed=0, epoch=0, indices=range(COUNT))
    images = images_of(0)
    moved = Resample(params, SIZE, SIZE).images(images)
    num_turned = 0
    for before, after in zip(images, moved, strict=True):
        options = [torch.equal(after, before.rot90(count, (1, 2))) for count in (0, 1, 2, 3)]
        assert sum(options) == 1
        assert not options[0]
        num_turned += options[turns]
    assert num_turned > 0


def test_probabilities_are_those_of_the_run_file() -> None:
    config = AugmentConfig(crop=None, flip=0.0, jitter=0, flip_vertical=0.3)
    params = sample_params(config, SIZE, SIZE, seed=0, epoch=0, indices=range(2000))
    assert params.flip_vertical is not None
    assert params.transpose is None
    assert 0.26 < params.flip_vertical.float().mean() < 0.34
    config = AugmentConfig(crop=None, flip=0.0, jitter=0, rotate_90=0.75)
    params = sample_params(config, SIZE, SIZE, seed=0, epoch=0, indices=range(2000))
    assert params.flip_vertical is not None
    assert params.transpose is not None
    columns = (params.flip, params.flip_vertical, params.transpose)
    names, counts = torch.stack(columns).unique(dim=1, return_counts=True)
    assert names.shape == (3, 4)  # upright and three rotations, no mirrored image
    assert (counts / 2000 - 0.25).abs().max() < 0.04


def test_other_numbers_do_not_depend_on_the_new_options() -> None:
    plain, turned = (
        sample_params(
            AugmentConfig(flip=0.5, jitter=0.2, flip_vertical=vertical),
            (14, 14),
            SIZE,
            seed=3,
            epoch=2,
            indices=range(20),
        )
        for vertical in (0.0, 0.5)
    )
    assert plain.flip_vertical is None
    for name in ("start", "extent", "flip", "factors", "order"):
        assert torch.equal(getattr(plain, name), getattr(turned, name))
