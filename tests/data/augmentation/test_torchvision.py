"""Batched augmentation equals torchvision's, applied to one image after the other."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from mtlsearch.config import AugmentConfig
from mtlsearch.data.augmentation._color import color_jitter
from mtlsearch.data.augmentation._geometry import Resample, transform_boxes
from mtlsearch.data.augmentation._params import AugmentationParams, sample_params
from mtlsearch.plugin import BoxTargets

PREPARED, COUNT = (31, 37), 4
ADJUST = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation)
seeds = st.integers(0, 2**31)
sizes = st.tuples(st.integers(5, 45), st.integers(5, 45))
crops = st.sampled_from([(0.05, 0.3), (0.3, 1.0), (1.0, 1.0)])


def make_params(
    seed: int, size: tuple[int, int], crop: tuple[float, float] = (0.3, 1.0)
) -> AugmentationParams:
    config = AugmentConfig(crop=crop, flip=0.5, jitter=0.6)
    return sample_params(config, PREPARED, size, seed=seed, epoch=1, indices=range(COUNT))


def one_by_one(
    images: Tensor,
    params: AugmentationParams,
    size: tuple[int, int],
    interpolation: InterpolationMode,
) -> Tensor:
    """Crop and flip every image by torchvision."""
    results = []
    for image, start, extent, flip in zip(
        images, params.start.tolist(), params.extent.tolist(), params.flip, strict=True
    ):
        window = (start[1], start[0], extent[1], extent[0])
        moved = F.resized_crop_image(
            image, *window, list(size), interpolation=interpolation, antialias=False
        )
        results.append(F.horizontal_flip(moved) if flip else moved)
    return torch.stack(results)


@settings(max_examples=25, deadline=None)
@given(seeds, sizes, crops)
def test_crop_flip_resize_equal_torchvision(
    seed: int, size: tuple[int, int], crop: tuple[float, float]
) -> None:
    params = make_params(seed, size, crop)
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(COUNT, 3, *PREPARED, generator=generator)
    masks = torch.randint(9, (COUNT, *PREPARED), generator=generator, dtype=torch.uint8)
    resample, rows = Resample(params, PREPARED, size), torch.arange(COUNT)
    expected = one_by_one(images, params, size, InterpolationMode.BILINEAR)
    torch.testing.assert_close(resample.images(images), expected, atol=1e-4, rtol=0)
    nearest = InterpolationMode.NEAREST_EXACT
    expected = one_by_one(masks[:, None], params, size, nearest)[:, 0]
    assert torch.equal(resample.nearest(masks, rows), expected)
    assert torch.equal(resample.nearest(images, rows), one_by_one(images, params, size, nearest))


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_color_jitter_equals_torchvision(seed: int) -> None:
    params = make_params(seed, PREPARED)
    images = torch.rand(COUNT, 3, 6, 7, generator=torch.Generator().manual_seed(seed))
    jittered = color_jitter(images, params.factors, params.order)
    for row, expected in enumerate(images):
        for column in params.order[row].tolist():
            expected = ADJUST[column](expected, params.factors[row, column].item())
        torch.testing.assert_close(jittered[row], expected, atol=1e-5, rtol=0)


@settings(max_examples=25, deadline=None)
@given(seeds, sizes, crops)
def test_boxes_equal_torchvision(
    seed: int, size: tuple[int, int], crop: tuple[float, float]
) -> None:
    """Crowd boxes, which stay while one pixel is visible, are clipped to the same corners."""
    params = make_params(seed, size, crop)
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(COUNT, 3, 2, 2, generator=generator) * torch.tensor(
        [PREPARED[1], PREPARED[0]]
    )
    xyxy = torch.cat([corners.amin(2), corners.amax(2)], dim=2)
    crowd, classes = torch.ones(3, dtype=torch.bool), torch.arange(3)
    targets = [BoxTargets(corners_of_image, classes, crowd) for corners_of_image in xyxy]
    moved = transform_boxes(targets, torch.arange(COUNT), params, size)
    for row, targets_of_image in enumerate(moved):
        (left, top), (width, height) = params.start[row].tolist(), params.extent[row].tolist()
        expected = tv_tensors.BoundingBoxes(xyxy[row], format="XYXY", canvas_size=PREPARED)
        expected = F.resized_crop(
            F.clamp_bounding_boxes(expected, clamping_mode=None),
            top,
            left,
            height,
            width,
            list(size),
        )
        if params.flip[row]:
            expected = F.horizontal_flip(expected)
        expected = F.clamp_bounding_boxes(expected, clamping_mode="hard").as_subclass(Tensor)
        keep = (expected[:, 2:] - expected[:, :2] >= 1).all(dim=1)
        assert targets_of_image.classes.tolist() == classes[keep].tolist()
        torch.testing.assert_close(targets_of_image.xyxy, expected[keep], atol=1e-3, rtol=0)


@settings(max_examples=25, deadline=None)
@given(seeds, sizes, st.sampled_from([(0.01, 0.05), (0.5, 1.0), (0.98, 1.0), (1.0, 1.0)]))
def test_crops_are_inside_image(
    seed: int, size: tuple[int, int], crop: tuple[float, float]
) -> None:
    """Also crops of an area that no window of their aspect ratio can have."""
    params = make_params(seed, size, crop)
    side = torch.tensor([PREPARED[1], PREPARED[0]])
    assert (params.start >= 0).all()
    assert (params.extent >= 1).all()
    assert (params.start + params.extent <= side).all()
    assert ((params.factors >= 0.4) & (params.factors <= 1.6)).all()
    assert (params.order.sort(dim=1).values == torch.arange(3)).all()


def test_params_have_expected_distributions() -> None:
    """Half of the images are flipped, and areas and factors cover their ranges."""
    config = AugmentConfig(crop=(0.6, 1.0), flip=0.5, jitter=0.2)
    params = sample_params(config, (147, 147), (128, 128), seed=0, epoch=0, indices=range(2000))
    areas = params.extent.prod(dim=1) / 147**2
    assert 0.59 < areas.min() < 0.62
    assert 0.97 < areas.max() <= 1
    assert 0.71 < areas.mean() < 0.79
    assert 0.46 < params.flip.float().mean() < 0.54
    assert (params.factors.mean(dim=0) - 1).abs().max() < 0.02
    assert params.start.float().std(dim=0).min() > 5
    firsts = torch.bincount(params.order[:, 0]) / 2000
    assert (firsts - 1 / 3).abs().max() < 0.05
