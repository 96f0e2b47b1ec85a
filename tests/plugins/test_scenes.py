"""Source ``scenes``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mtlsearch_plugins.scenes import Rules, Scenes
from pydantic import ValidationError

from mtlsearch.labels import Boxes
from mtlsearch.testing import DatasetContract


def make(seed: int = 0, **settings: object) -> Scenes:
    return Scenes(Scenes.Settings.model_validate(settings), root=Path(), seed=seed)


class TestScenes(DatasetContract):
    def make_source(self, folder: Path) -> Scenes:
        return make(train=12, val=6, test=4)


class TestScenesWithMissingLabels(DatasetContract):
    def make_source(self, folder: Path) -> Scenes:
        return make(train=12, val=6, test=4, missing=0.5, relatedness=0, image_size=48)


def boxes_of(source: Scenes, index: int) -> Boxes:
    boxes = source.read("train", index).labels["objects"]
    assert isinstance(boxes, Boxes)
    return boxes


@pytest.mark.parametrize("relatedness", [0, 0.5, 1])
def test_all_scenes_and_mask_classes_occur(relatedness: float) -> None:
    source = make(relatedness=relatedness, train=150)
    samples = [source.read("train", index) for index in range(150)]
    scenes = {sample.labels["scene"] for sample in samples}
    assert scenes == set(range(6))
    pixels = np.concatenate([np.unique(sample.labels["shapes"]) for sample in samples])
    assert set(pixels.tolist()) == set(range(7))


def test_related_scenes_and_masks_depend_on_shapes() -> None:
    """At 1, the mask has the classes of the boxes, and they determine the scene."""
    source = make(relatedness=1, train=60)
    for index in range(60):
        labels = source.read("train", index).labels
        shapes = set(boxes_of(source, index).classes.tolist())
        assert set(np.unique(labels["shapes"]).tolist()) == {0} | {1 + shape for shape in shapes}
        pairs = [index for index in range(6) if {index, (index + 1) % 6} <= shapes]
        assert pairs == [labels["scene"]]


def test_unrelated_scenes_and_masks_do_not_depend_on_shapes() -> None:
    """At 0, no scene and no mask class is a shape."""
    labels = make(relatedness=0).labels
    assert not set(labels["objects"].classes) & set(labels["shapes"].classes)
    assert labels["scene"].classes[0] == "fine across"


@pytest.mark.parametrize("by_shape", range(7))
def test_rules_have_six_scenes_and_seven_mask_classes(by_shape: int) -> None:
    rules = Rules(by_shape)
    assert len(set(rules.scene_classes)) == 6
    assert len(set(rules.mask_classes)) == 7
    assert {
        rules.mask_class(shape, texture)
        for shape in range(6)
        for texture in range(0 if shape < by_shape else by_shape, 6)
    } == set(range(1, 7))


def test_boxes_enclose_the_visible_pixels() -> None:
    """All object pixels are in boxes, and every side of a box touches object pixels."""
    source = make(train=40)
    for index in range(40):
        mask = np.asarray(source.read("train", index).labels["shapes"])
        is_covered = np.zeros(mask.shape, bool)
        for left, top, right, bottom in boxes_of(source, index).xyxy.astype(int).tolist():
            is_covered[top:bottom, left:right] = True
            inside = mask[top:bottom, left:right] > 0
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()
        assert not (mask > 0)[~is_covered].any()


def test_seed_and_offset_change_the_images() -> None:
    images = [
        make(seed=seed, seed_offset=offset).read("train", 0).image.tobytes()
        for seed, offset in ((0, 0), (1, 0), (0, 1), (0, 7))
    ]
    assert images[1] == images[2]
    assert len(set(images)) == 3


def test_missing_drops_a_fraction_of_training_labels() -> None:
    source = make(train=200, val=20, missing=0.3)
    kept = sum(len(source.read("train", index).labels) for index in range(200))
    assert kept / 600 == pytest.approx(0.7, abs=0.07)
    assert all(len(source.read("val", index).labels) == 3 for index in range(20))


@pytest.mark.parametrize("settings", [{"relatedness": 1.5}, {"image_size": 8}, {"color": "red"}])
def test_invalid_settings_raise(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make(**settings)
