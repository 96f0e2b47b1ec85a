"""Assignment of boxes, compared with pycocotools."""

from __future__ import annotations

import numpy as np
import pytest

from mtlsearch.evaluation import BoxesScorer
from mtlsearch.labels import Boxes
from mtlsearch.prediction import BoxesPrediction
from tests.evaluation.coco import coco_average_precisions

CLASSES = ("cat", "dog", "hare", "mole")


def random_boxes(generator: np.random.Generator, count: int) -> np.ndarray:
    corners = generator.integers(0, 40, (count, 2))
    sides = generator.integers(4, 40, (count, 2))
    return np.hstack([corners, corners + sides]).astype(np.float32)


def random_image(generator: np.random.Generator) -> tuple[BoxesPrediction, Boxes]:
    """Return boxes of which many overlap, some are crowds, and some scores are equal."""
    num_true, num_predicted = generator.integers(0, 7), generator.integers(0, 25)
    true = random_boxes(generator, int(num_true))
    near = true[generator.integers(0, max(num_true, 1), num_predicted)] if num_true else true
    predicted = random_boxes(generator, int(num_predicted))
    if num_true:
        shift = generator.integers(-3, 4, near.shape).astype(np.float32)
        is_near = generator.random(len(predicted)) < 0.8
        predicted[is_near] = (near + shift)[is_near]
    predicted[:, 2:] = np.maximum(predicted[:, 2:], predicted[:, :2] + 1)
    scores = np.round(generator.random(len(predicted)), 1).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    classes = generator.integers(0, 3, len(predicted))
    return (
        BoxesPrediction(predicted[order], classes[order], scores[order]),
        Boxes(true, generator.integers(0, 3, len(true)), generator.random(len(true)) < 0.2),
    )


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_equals_pycocotools(seed: int) -> None:
    generator = np.random.default_rng(seed)
    images = [random_image(generator) for _ in range(12)]
    scorer = BoxesScorer(CLASSES, 0.3)
    for predicted, true in images:
        scorer.add(predicted, true)
    ones = np.ones(len(images), np.int64)
    expected = coco_average_precisions(images, len(CLASSES))
    per_class = scorer.per_class(ones)
    for index, name in enumerate(CLASSES):
        if expected[0, index] < 0:
            assert np.isnan(per_class["AP"][name])
        else:
            assert per_class["AP"][name] == pytest.approx(expected[:, index].mean(), abs=1e-9)
            assert per_class["AP50"][name] == pytest.approx(expected[0, index], abs=1e-9)
    metrics = scorer.compute(ones)
    assert metrics["mAP"] == pytest.approx(expected[expected >= 0].mean(), abs=1e-9)
    assert metrics["mAP50"] == pytest.approx(expected[0][expected[0] >= 0].mean(), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_resampled_average_precision_equals_pycocotools(seed: int) -> None:
    # Distinct scores: COCO sorts copies of an image with equal scores in an order of its own.
    generator = np.random.default_rng(100 + seed)
    images = []
    for _ in range(10):
        predicted, true = random_image(generator)
        scores = -np.sort(-generator.random(len(predicted.scores)).astype(np.float32))
        images.append((BoxesPrediction(predicted.xyxy, predicted.classes, scores), true))
    scorer = BoxesScorer(CLASSES, 0.3)
    for predicted, true in images:
        scorer.add(predicted, true)
    drawn = generator.integers(10, size=10)
    expected = coco_average_precisions([images[index] for index in drawn], len(CLASSES))
    metrics = scorer.compute(np.bincount(drawn, minlength=10))
    assert metrics["mAP"] == pytest.approx(expected[expected >= 0].mean(), abs=1e-9)


def test_more_than_100_boxes_are_cut_as_in_pycocotools() -> None:
    generator = np.random.default_rng(0)
    true = random_boxes(generator, 30)
    predicted = np.tile(true, (5, 1)) + generator.integers(-2, 3, (150, 4)).astype(np.float32)
    scores = -np.sort(-generator.random(150).astype(np.float32))
    image = (
        BoxesPrediction(predicted, np.zeros(150, np.int64), scores),
        Boxes(true, np.zeros(30, np.int64), np.zeros(30, np.bool_)),
    )
    scorer = BoxesScorer(CLASSES, 0.3)
    scorer.add(*image)
    expected = coco_average_precisions([image], len(CLASSES))[:, 0].mean()
    assert scorer.compute(np.ones(1, np.int64))["mAP"] == pytest.approx(expected, abs=1e-9)


def test_boxes_without_images_have_no_metrics() -> None:
    scorer = BoxesScorer(CLASSES, 0.3)
    nothing = BoxesPrediction(
        np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32)
    )
    scorer.add(nothing, Boxes.empty())
    assert all(np.isnan(value) for value in scorer.compute(np.ones(1, np.int64)).values())
    assert scorer.qualities() == [1.0]
    assert scorer.support() == dict.fromkeys(CLASSES, 0)
