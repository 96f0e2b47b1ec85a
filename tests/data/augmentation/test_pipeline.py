"""Batch transform: image, boxes, masks and maps stay consistent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mtlsearch.config import AugmentConfig
from mtlsearch.data._loader import collate
from mtlsearch.data._samples import PreparedSample, prepare_sample
from mtlsearch.data.augmentation._geometry import MIN_SIDE, MIN_VISIBLE
from mtlsearch.data.augmentation._pipeline import BatchTransform
from mtlsearch.labels import Boxes
from mtlsearch.plugin import Batch, BoxTargets
from tests.data.fake import LABELS, square

SIZE = (48, 64)
STILL = AugmentConfig(crop=None, flip=0, jitter=0)


def make_transform(augment: AugmentConfig) -> BatchTransform:
    """Return a transform without normalization, so that images stay in 0..1."""
    return BatchTransform(LABELS, augment, SIZE, (0.0,) * 3, (1.0,) * 3, 0, torch.device("cpu"))


def prepared(size: tuple[int, int] = (56, 74), **labels: object) -> PreparedSample:
    return prepare_sample(square(**labels), LABELS, size)


def view(
    augment: AugmentConfig, sample: PreparedSample, count: int = 1, epoch: int | None = 0
) -> Batch:
    """Return a batch of ``count`` views of a sample."""
    return make_transform(augment)(collate([sample] * count, LABELS), range(count), epoch)


def values(batch: Batch, name: str) -> Tensor:
    tensor = batch.targets[name].values
    assert isinstance(tensor, Tensor)
    return tensor


def boxes(batch: Batch) -> tuple[BoxTargets, ...]:
    targets = batch.targets["boxes"].values
    assert isinstance(targets, tuple)
    return targets


def test_mask_map_boxes_and_pixels_stay_consistent() -> None:
    """The bright block, its mask, its depth and its box have the same position."""
    batch = view(AugmentConfig(crop=(0.3, 1.0), jitter=0), prepared(), 60)
    mask, depth = values(batch, "mask"), values(batch, "depth")
    for row, targets in enumerate(boxes(batch)):
        bright, thing = batch.images[row].mean(dim=0) > 110 / 255, mask[row] == 1
        assert (bright != thing).float().mean() < 0.05
        assert ((depth[row, 0] < 3) == thing).all()
        for box in targets.xyxy:
            inside = torch.zeros(SIZE, dtype=torch.bool)
            left, top, right, bottom = (int(side.round()) for side in box)
            inside[top:bottom, left:right] = True
            assert (inside != thing).float().mean() < 0.05


def test_batch_has_input_size_and_original_values() -> None:
    batch = view(AugmentConfig(), prepared(), 10)
    assert batch.images.shape == (10, 3, *SIZE)
    assert batch.images.dtype == torch.float32
    assert values(batch, "mask").shape == (10, *SIZE)
    assert values(batch, "mask").dtype == torch.int64
    assert set(values(batch, "mask").unique().tolist()) <= {0, 1}
    assert values(batch, "depth").shape == (10, 1, *SIZE)
    assert set(values(batch, "depth").unique().tolist()) <= {2.0, 5.0}
    assert values(batch, "kind").tolist() == [0] * 10


def test_boxes_are_inside_image_with_minimum_size() -> None:
    limit = torch.tensor([SIZE[1], SIZE[0]] * 2)
    all_targets = boxes(view(AugmentConfig(crop=(0.05, 0.3)), prepared(), 100))
    for targets in all_targets:
        assert (targets.xyxy >= 0).all()
        assert (targets.xyxy <= limit).all()
        assert (targets.xyxy[:, 2:] - targets.xyxy[:, :2] >= MIN_SIDE).all()
        assert len(targets.classes) == len(targets.crowd) == len(targets.xyxy)
    assert 0 < sum(len(targets.xyxy) for targets in all_targets) < 100


def test_box_mostly_outside_crop_is_removed_unless_crowd() -> None:
    """Of two equal boxes, the crowd stays in every crop that contains a part of it."""
    xyxy = np.array([[20, 12, 60, 42]] * 2, np.float32)
    pair = Boxes(xyxy, np.array([0, 1]), np.array([False, True]))
    all_targets = boxes(view(AugmentConfig(crop=(0.05, 0.2)), prepared(boxes=pair), 100))
    kept = [targets.crowd.tolist() for targets in all_targets]
    assert all(crowd in ([], [True], [False, True]) for crowd in kept)
    assert [True] in kept
    assert 0 < MIN_VISIBLE < 1


def test_box_below_a_pixel_stays_in_evaluation() -> None:
    """A metric must count a box that the network cannot see as missed."""
    tiny = Boxes(
        np.array([[4, 4, 4.5, 4.5], [20, 12, 60, 42]], np.float32),
        np.array([0, 1]),
        np.zeros(2, bool),
    )
    (evaluated,) = boxes(view(AugmentConfig(), prepared(SIZE, boxes=tiny), epoch=None))
    assert evaluated.classes.tolist() == [0, 1]
    (trained,) = boxes(view(STILL, prepared(SIZE, boxes=tiny), epoch=0))
    assert trained.classes.tolist() == [1]
    assert torch.equal(trained.xyxy[0], evaluated.xyxy[1])


def test_flip_mirrors_image_and_labels() -> None:
    sample = prepared(SIZE)
    mirror = AugmentConfig(crop=None, flip=1.0, jitter=0)
    plain, mirrored = view(STILL, sample), view(mirror, sample)
    assert torch.equal(mirrored.images, plain.images.flip(-1))
    for name in ("mask", "depth"):
        assert torch.equal(values(mirrored, name), values(plain, name).flip(-1))
    left, top, right, bottom = boxes(plain)[0].xyxy[0].tolist()
    assert boxes(mirrored)[0].xyxy[0].tolist() == pytest.approx(
        [64 - right, top, 64 - left, bottom]
    )


def test_transform_without_augmentation_keeps_sample() -> None:
    sample = prepared(SIZE)
    still, plain = view(STILL, sample, epoch=3), view(AugmentConfig(), sample, epoch=None)
    assert torch.equal(still.images, sample.image[None] / 255)
    assert torch.equal(plain.images, still.images)


def test_jitter_changes_only_colors() -> None:
    sample = prepared(SIZE)
    plain, jittered = (
        view(STILL, sample),
        view(AugmentConfig(crop=None, flip=0, jitter=0.5), sample),
    )
    assert not torch.equal(jittered.images, plain.images)
    assert torch.equal(values(jittered, "mask"), values(plain, "mask"))


def test_augmentation_does_not_depend_on_batch() -> None:
    """An image is the same beside other images and in another row."""
    samples = [prepared(kind=index) for index in range(3)]
    several = make_transform(AugmentConfig())(collate(samples, LABELS), [4, 9, 2], 1)
    alone = make_transform(AugmentConfig())(collate(samples[1:2], LABELS), [9], 1)
    assert torch.equal(several.images[1], alone.images[0])
    assert torch.equal(values(several, "mask")[1], values(alone, "mask")[0])
    assert torch.equal(boxes(several)[1].xyxy, boxes(alone)[0].xyxy)


def test_missing_label_does_not_shift_other_rows() -> None:
    """Masks, maps and boxes use the params of their image's row."""
    labeled, unlabeled = prepared(), PreparedSample(prepared().image, {})
    full = make_transform(AugmentConfig())(collate([labeled, labeled], LABELS), [0, 1], 0)
    partly = make_transform(AugmentConfig())(collate([unlabeled, labeled], LABELS), [0, 1], 0)
    for name in ("mask", "depth"):
        assert torch.equal(values(partly, name)[0], values(full, name)[1])
    assert torch.equal(boxes(partly)[0].xyxy, boxes(full)[1].xyxy)


def test_transform_does_not_change_prepared_sample() -> None:
    sample = prepared(SIZE)
    before = collate([sample.clone()], LABELS)
    view(AugmentConfig(crop=None, jitter=0.5), sample, 10)
    after = collate([sample], LABELS)
    assert torch.equal(after.images, before.images)
    assert torch.equal(values(after, "mask"), values(before, "mask"))
    assert torch.equal(boxes(after)[0].xyxy, boxes(before)[0].xyxy)
