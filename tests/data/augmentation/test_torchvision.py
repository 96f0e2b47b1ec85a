"""Batched changes are torchvision's own, applied to one image after the other."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from mtlsearch.config import AugmentConfig
from mtlsearch.data.augmentation._boxes import transform_boxes
from mtlsearch.data.augmentation._color import color_jitter
from mtlsearch.data.augmentation._params import AugmentationParams, sample_params
from mtlsearch.data.augmentation._resample import Resample
from mtlsearch.plugin import BoxTargets

KEPT, COUNT = (31, 37), 4
ADJUST = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation)
seeds = st.integers(0, 2**31)
sizes = st.tuples(st.integers(5, 45), st.integers(5, 45))
crops = st.sampled_from([(0.05, 0.3), (0.3, 1.0), (1.0, 1.0)])


def draw(
    seed: int, size: tuple[int, int], crop: tuple[float, float] = (0.3, 1.0)
) -> AugmentationParams:
    config = AugmentConfig(crop=crop, flip=0.5, color_jitter=0.6)
    return sample_params(config, KEPT, size, seed=seed, epoch=1, indices=range(COUNT))


def one_by_one(
    images: Tensor,
    changes: AugmentationParams,
    size: tuple[int, int],
    interpolation: InterpolationMode,
) -> Tensor:
    """Every image cropped and flipped by torchvision."""
    found = []
    for image, start, extent, flip in zip(
        images, changes.start.tolist(), changes.extent.tolist(), changes.flip, strict=True
    ):
        window = (start[1], start[0], extent[1], extent[0])
        moved = F.resized_crop_image(
            image, *window, list(size), interpolation=interpolation, antialias=False
        )
        found.append(F.horizontal_flip(moved) if flip else moved)
    return torch.stack(found)


@settings(max_examples=25, deadline=None)
@given(seeds, sizes, crops)
def test_crop_flip_and_resize(seed: int, size: tuple[int, int], crop: tuple[float, float]) -> None:
    changes = draw(seed, size, crop)
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(COUNT, 3, *KEPT, generator=generator)
    masks = torch.randint(9, (COUNT, *KEPT), generator=generator, dtype=torch.uint8)
    resample, rows = Resample(changes, KEPT, size), torch.arange(COUNT)
    expected = one_by_one(images, changes, size, InterpolationMode.BILINEAR)
    torch.testing.assert_close(resample.images(images), expected, atol=1e-4, rtol=0)
    nearest = InterpolationMode.NEAREST_EXACT
    expected = one_by_one(masks[:, None], changes, size, nearest)[:, 0]
    assert torch.equal(resample.planes(masks, rows), expected)
    assert torch.equal(resample.planes(images, rows), one_by_one(images, changes, size, nearest))


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_colours(seed: int) -> None:
    changes = draw(seed, KEPT)
    images = torch.rand(COUNT, 3, 6, 7, generator=torch.Generator().manual_seed(seed))
    found = color_jitter(images, changes.factors, changes.order)
    for row, expected in enumerate(images):
        for which in changes.order[row].tolist():
            expected = ADJUST[which](expected, changes.factors[row, which].item())
        torch.testing.assert_close(found[row], expected, atol=1e-5, rtol=0)


@settings(max_examples=25, deadline=None)
@given(seeds, sizes, crops)
def test_boxes(seed: int, size: tuple[int, int], crop: tuple[float, float]) -> None:
    """Crowds, of which any pixel counts, are clipped by torchvision to the same corners."""
    changes = draw(seed, size, crop)
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(COUNT, 3, 2, 2, generator=generator) * torch.tensor([KEPT[1], KEPT[0]])
    xyxy = torch.cat([corners.amin(2), corners.amax(2)], dim=2)
    crowd, classes = torch.ones(3, dtype=torch.bool), torch.arange(3)
    targets = [BoxTargets(one, classes, crowd) for one in xyxy]
    moved = transform_boxes(targets, torch.arange(COUNT), changes, size)
    for row, found in enumerate(moved):
        (left, top), (width, height) = changes.start[row].tolist(), changes.extent[row].tolist()
        expected = tv_tensors.BoundingBoxes(xyxy[row], format="XYXY", canvas_size=KEPT)
        expected = F.resized_crop(
            F.clamp_bounding_boxes(expected, clamping_mode=None),
            top,
            left,
            height,
            width,
            list(size),
        )
        if changes.flip[row]:
            expected = F.horizontal_flip(expected)
        expected = F.clamp_bounding_boxes(expected, clamping_mode="hard").as_subclass(Tensor)
        keep = (expected[:, 2:] - expected[:, :2] >= 1).all(dim=1)
        assert found.classes.tolist() == classes[keep].tolist()
        torch.testing.assert_close(found.xyxy, expected[keep], atol=1e-3, rtol=0)


@settings(max_examples=25, deadline=None)
@given(seeds, sizes, st.sampled_from([(0.01, 0.05), (0.5, 1.0), (0.98, 1.0), (1.0, 1.0)]))
def test_windows_lie_in_the_image(
    seed: int, size: tuple[int, int], crop: tuple[float, float]
) -> None:
    """Those of a wanted area that no window of their aspect has, too."""
    changes = draw(seed, size, crop)
    side = torch.tensor([KEPT[1], KEPT[0]])
    assert (changes.start >= 0).all()
    assert (changes.extent >= 1).all()
    assert (changes.start + changes.extent <= side).all()
    assert ((changes.factors >= 0.4) & (changes.factors <= 1.6)).all()
    assert (changes.order.sort(dim=1).values == torch.arange(3)).all()


def test_chance_is_fair() -> None:
    """Every index has chance of its own: halves are flipped, areas and factors are spread."""
    config = AugmentConfig(crop=(0.6, 1.0), flip=0.5, color_jitter=0.2)
    drawn = sample_params(config, (147, 147), (128, 128), seed=0, epoch=0, indices=range(2000))
    areas = drawn.extent.prod(dim=1) / 147**2
    assert 0.59 < areas.min() < 0.62
    assert 0.97 < areas.max() <= 1
    assert 0.71 < areas.mean() < 0.79
    assert 0.46 < drawn.flip.float().mean() < 0.54
    assert (drawn.factors.mean(dim=0) - 1).abs().max() < 0.02
    assert drawn.start.float().std(dim=0).min() > 5
    firsts = torch.bincount(drawn.order[:, 0]) / 2000
    assert (firsts - 1 / 3).abs().max() < 0.05
