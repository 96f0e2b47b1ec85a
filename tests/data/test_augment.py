"""Random changes keep image, boxes, masks and maps together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtlsearch.config import AugmentConfig
from mtlsearch.data._augment import MIN_SIDE, MIN_VISIBLE, Augment, plain
from mtlsearch.data._prepared import Prepared, prepare_sample
from mtlsearch.labels import Boxes
from mtlsearch.plugin import BoxTargets

from .fake import LABELS, square

SIZE = (48, 64)


def prepared(**changes: object) -> Prepared:
    return prepare_sample(square(**changes), LABELS, (56, 74))


def views(config: AugmentConfig, count: int = 60) -> list[Prepared]:
    augment = Augment(config, SIZE, seed=0)
    return [augment(prepared(), 0, index) for index in range(count)]


def parts(view: Prepared) -> tuple[torch.Tensor, torch.Tensor, BoxTargets]:
    mask, depth, boxes = (view.labels[name] for name in ("mask", "depth", "boxes"))
    assert isinstance(mask, torch.Tensor)
    assert isinstance(depth, torch.Tensor)
    assert isinstance(boxes, BoxTargets)
    return mask, depth, boxes


def test_mask_map_boxes_and_pixels_stay_together() -> None:
    """The bright block, its mask, its depth and its box move as one."""
    for view in views(AugmentConfig(crop=(0.3, 1.0), jitter=0)):
        mask, depth, boxes = parts(view)
        bright = view.image.float().mean(dim=0) > 110
        thing = mask == 1
        assert (bright != thing).float().mean() < 0.06
        assert ((depth[0] < 3) == thing).all()
        for box in boxes.xyxy:
            inside = torch.zeros(SIZE, dtype=torch.bool)
            left, top, right, bottom = (int(side.round()) for side in box)
            inside[top:bottom, left:right] = True
            assert (inside != thing).float().mean() < 0.06


def test_results_have_the_networks_size_and_stay_what_they_were() -> None:
    for view in views(AugmentConfig(), 10):
        mask, depth, _ = parts(view)
        assert view.image.shape == (3, *SIZE)
        assert view.image.dtype == torch.uint8
        assert mask.shape == SIZE
        assert set(mask.unique().tolist()) <= {0, 1}
        assert depth.shape == (1, *SIZE)
        assert set(depth.unique().tolist()) <= {2.0, 5.0}
        assert view.labels["kind"] == 0


def test_boxes_lie_in_the_image_and_are_large_enough() -> None:
    limit = torch.tensor([SIZE[1], SIZE[0]] * 2)
    seen = 0
    for view in views(AugmentConfig(crop=(0.05, 0.3)), 100):
        *_, boxes = parts(view)
        seen += len(boxes.xyxy)
        assert (boxes.xyxy >= 0).all()
        assert (boxes.xyxy <= limit).all()
        assert (boxes.xyxy[:, 2:] - boxes.xyxy[:, :2] >= MIN_SIDE).all()
        assert len(boxes.classes) == len(boxes.crowd) == len(boxes.xyxy)
    assert 0 < seen < 100


def test_a_box_mostly_cropped_away_is_no_target_but_a_crowd_is() -> None:
    """Of two equal boxes, one a crowd, the crowd stays wherever any of it does."""
    xyxy = np.array([[20, 12, 60, 42]] * 2, np.float32)
    pair = Boxes(xyxy, np.array([0, 1]), np.array([False, True]))
    augment = Augment(AugmentConfig(crop=(0.05, 0.2)), SIZE, seed=0)
    sample = prepared(boxes=pair)
    lone = 0
    for index in range(100):
        *_, boxes = parts(augment(sample, 0, index))
        kept = boxes.crowd.tolist()
        assert kept in ([], [True], [False, True])
        lone += kept == [True]
    assert lone > 0
    assert 0 < MIN_VISIBLE < 1


def test_a_certain_flip_mirrors_everything() -> None:
    mirror = Augment(AugmentConfig(crop=None, flip=1.0, jitter=0), SIZE, seed=0)
    sample = prepare_sample(square(), LABELS, SIZE)
    mask, depth, boxes = parts(mirror(sample, 0, 0))
    own_mask, own_depth, own_boxes = parts(sample)
    assert torch.equal(mask, own_mask.flip(-1))
    assert torch.equal(depth, own_depth.flip(-1))
    left, top, right, bottom = own_boxes.xyxy[0].tolist()
    assert boxes.xyxy[0].tolist() == pytest.approx([64 - right, top, 64 - left, bottom])


def test_nothing_random_is_the_sample_itself() -> None:
    still = Augment(AugmentConfig(crop=None, flip=0, jitter=0), SIZE, seed=0)
    sample = prepare_sample(square(), LABELS, SIZE)
    assert torch.equal(still(sample, 3, 4).image, sample.image)
    assert plain(sample, SIZE) is sample


def test_jitter_changes_colours_alone() -> None:
    loud = Augment(AugmentConfig(crop=None, flip=0, jitter=0.5), SIZE, seed=0)
    sample = prepare_sample(square(), LABELS, SIZE)
    view = loud(sample, 0, 0)
    assert not torch.equal(view.image, sample.image)
    assert torch.equal(parts(view)[0], parts(sample)[0])


def test_the_kept_sample_is_never_changed() -> None:
    sample = prepared()
    before = sample.clone()
    views_of = Augment(AugmentConfig(jitter=0.5), SIZE, seed=0)
    for index in range(10):
        views_of(sample, 0, index)
    assert torch.equal(sample.image, before.image)
    assert torch.equal(parts(sample)[0], parts(before)[0])
    assert torch.equal(parts(sample)[2].xyxy, parts(before)[2].xyxy)
