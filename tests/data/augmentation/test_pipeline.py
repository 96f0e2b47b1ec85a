"""Random changes keep image, boxes, masks and maps together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mtlsearch.config import AugmentConfig
from mtlsearch.data._collate import collate
from mtlsearch.data._samples import PreparedSample, prepare_sample
from mtlsearch.data.augmentation._boxes import MIN_SIDE, MIN_VISIBLE
from mtlsearch.data.augmentation._pipeline import BatchTransform
from mtlsearch.labels import Boxes
from mtlsearch.plugin import Batch, BoxTargets
from tests.data.fake import LABELS, square

SIZE = (48, 64)
STILL = AugmentConfig(crop=None, flip=0, jitter=0)


def finish(augment: AugmentConfig) -> BatchTransform:
    """Nothing is normalised, so that images stay in 0..1."""
    return BatchTransform(LABELS, augment, SIZE, (0.0,) * 3, (1.0,) * 3, 0, torch.device("cpu"))


def prepared(kept: tuple[int, int] = (56, 74), **changes: object) -> PreparedSample:
    return prepare_sample(square(**changes), LABELS, kept)


def view(
    augment: AugmentConfig, sample: PreparedSample, count: int = 1, epoch: int | None = 0
) -> Batch:
    """One batch of ``count`` views of a sample."""
    return finish(augment)(collate([sample] * count, LABELS), range(count), epoch)


def values(batch: Batch, name: str) -> Tensor:
    found = batch.targets[name].values
    assert isinstance(found, Tensor)
    return found


def boxes(batch: Batch) -> tuple[BoxTargets, ...]:
    found = batch.targets["boxes"].values
    assert isinstance(found, tuple)
    return found


def test_mask_map_boxes_and_pixels_stay_together() -> None:
    """The bright block, its mask, its depth and its box move as one."""
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


def test_results_have_the_networks_size_and_stay_what_they_were() -> None:
    batch = view(AugmentConfig(), prepared(), 10)
    assert batch.images.shape == (10, 3, *SIZE)
    assert batch.images.dtype == torch.float32
    assert values(batch, "mask").shape == (10, *SIZE)
    assert values(batch, "mask").dtype == torch.int64
    assert set(values(batch, "mask").unique().tolist()) <= {0, 1}
    assert values(batch, "depth").shape == (10, 1, *SIZE)
    assert set(values(batch, "depth").unique().tolist()) <= {2.0, 5.0}
    assert values(batch, "kind").tolist() == [0] * 10


def test_boxes_lie_in_the_image_and_are_large_enough() -> None:
    limit = torch.tensor([SIZE[1], SIZE[0]] * 2)
    found = boxes(view(AugmentConfig(crop=(0.05, 0.3)), prepared(), 100))
    for one in found:
        assert (one.xyxy >= 0).all()
        assert (one.xyxy <= limit).all()
        assert (one.xyxy[:, 2:] - one.xyxy[:, :2] >= MIN_SIDE).all()
        assert len(one.classes) == len(one.crowd) == len(one.xyxy)
    assert 0 < sum(len(one.xyxy) for one in found) < 100


def test_a_box_mostly_cropped_away_is_no_target_but_a_crowd_is() -> None:
    """Of two equal boxes, one a crowd, the crowd stays wherever any of it does."""
    xyxy = np.array([[20, 12, 60, 42]] * 2, np.float32)
    pair = Boxes(xyxy, np.array([0, 1]), np.array([False, True]))
    found = boxes(view(AugmentConfig(crop=(0.05, 0.2)), prepared(boxes=pair), 100))
    kept = [one.crowd.tolist() for one in found]
    assert all(crowd in ([], [True], [False, True]) for crowd in kept)
    assert [True] in kept
    assert 0 < MIN_VISIBLE < 1


def test_a_certain_flip_mirrors_everything() -> None:
    sample = prepared(SIZE)
    mirror = AugmentConfig(crop=None, flip=1.0, jitter=0)
    own, mirrored = view(STILL, sample), view(mirror, sample)
    assert torch.equal(mirrored.images, own.images.flip(-1))
    for name in ("mask", "depth"):
        assert torch.equal(values(mirrored, name), values(own, name).flip(-1))
    left, top, right, bottom = boxes(own)[0].xyxy[0].tolist()
    assert boxes(mirrored)[0].xyxy[0].tolist() == pytest.approx(
        [64 - right, top, 64 - left, bottom]
    )


def test_nothing_random_is_the_sample_itself() -> None:
    sample = prepared(SIZE)
    still, plain = view(STILL, sample, epoch=3), view(AugmentConfig(), sample, epoch=None)
    assert torch.equal(still.images, sample.image[None] / 255)
    assert torch.equal(plain.images, still.images)


def test_jitter_changes_colours_alone() -> None:
    sample = prepared(SIZE)
    own, loud = (
        view(STILL, sample),
        view(AugmentConfig(crop=None, flip=0, jitter=0.5), sample),
    )
    assert not torch.equal(loud.images, own.images)
    assert torch.equal(values(loud, "mask"), values(own, "mask"))


def test_an_image_looks_the_same_in_any_batch() -> None:
    """Whichever images stand beside it, and in whichever row."""
    samples = [prepared(kind=at) for at in range(3)]
    several = finish(AugmentConfig())(collate(samples, LABELS), [4, 9, 2], 1)
    alone = finish(AugmentConfig())(collate(samples[1:2], LABELS), [9], 1)
    assert torch.equal(several.images[1], alone.images[0])
    assert torch.equal(values(several, "mask")[1], values(alone, "mask")[0])
    assert torch.equal(boxes(several)[1].xyxy, boxes(alone)[0].xyxy)


def test_a_row_without_a_label_does_not_shift_the_others() -> None:
    """Masks, maps and boxes go by the row of their image, not by their own place."""
    whole, bare = prepared(), PreparedSample(prepared().image, {})
    full = finish(AugmentConfig())(collate([whole, whole], LABELS), [0, 1], 0)
    partly = finish(AugmentConfig())(collate([bare, whole], LABELS), [0, 1], 0)
    for name in ("mask", "depth"):
        assert torch.equal(values(partly, name)[0], values(full, name)[1])
    assert torch.equal(boxes(partly)[0].xyxy, boxes(full)[1].xyxy)


def test_the_kept_sample_is_never_changed() -> None:
    sample = prepared(SIZE)
    before = collate([sample.clone()], LABELS)
    view(AugmentConfig(crop=None, jitter=0.5), sample, 10)
    after = collate([sample], LABELS)
    assert torch.equal(after.images, before.images)
    assert torch.equal(values(after, "mask"), values(before, "mask"))
    assert torch.equal(boxes(after)[0].xyxy, boxes(before)[0].xyxy)
