"""Assignment of boxes, compared with pycocotools and with every pair of boxes."""

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


def confusion_of_all_pairs(predicted: BoxesPrediction, true: Boxes, threshold: float) -> np.ndarray:
    """Return the confusion matrix by repeatedly taking the best of all remaining pairs."""
    num_classes = len(CLASSES)
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    rows = [row for row in range(len(predicted.scores)) if predicted.scores[row] >= threshold]
    columns = [column for column in range(len(true.classes)) if not true.crowd[column]]
    while pairs := [
        (overlap, float(predicted.scores[row]), -row, -column)
        for row in rows
        for column in columns
        if (overlap := iou(predicted.xyxy[row], true.xyxy[column])) >= 0.5
    ]:
        *_, row, column = max(pairs)
        rows.remove(-row)
        columns.remove(-column)
        matrix[true.classes[-column], predicted.classes[-row]] += 1
    for column in columns:
        matrix[true.classes[column], num_classes] += 1
    for row in rows:
        is_in_crowd = any(
            true.crowd[column]
            and true.classes[column] == predicted.classes[row]
            and part_inside(predicted.xyxy[row], true.xyxy[column]) >= 0.5
            for column in range(len(true.classes))
        )
        matrix[num_classes, predicted.classes[row]] += not is_in_crowd
    return matrix


def area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def part_inside(box: np.ndarray, other: np.ndarray) -> float:
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    return float(sides.clip(0).prod()) / area(box)


def iou(box: np.ndarray, other: np.ndarray) -> float:
    both = part_inside(box, other) * area(box)
    return both / (area(box) + area(other) - both)


@pytest.mark.parametrize("seed", range(20))
def test_confusion_equals_that_of_all_pairs(seed: int) -> None:
    generator = np.random.default_rng(seed)
    images = [random_image(generator) for _ in range(5)]
    scorer = BoxesScorer(CLASSES, 0.3)
    for image in images:
        scorer.add(*image)
    expected = sum(confusion_of_all_pairs(*image, threshold=0.3) for image in images)
    assert np.array_equal(scorer.confusion(), expected)
    assert scorer.confusion()[:-1].sum(1).tolist() == list(scorer.support().values())


def test_confusion_has_box_of_other_class_and_background() -> None:
    predicted = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 10, 9]], np.float32)
    true = np.array([[0, 0, 10, 10], [80, 80, 90, 90]], np.float32)
    scorer = BoxesScorer(CLASSES, 0.3)
    scorer.add(
        BoxesPrediction(predicted, np.array([1, 2, 0]), np.array([0.9, 0.8, 0.2], np.float32)),
        Boxes(true, np.array([0, 3]), np.zeros(2, np.bool_)),
    )
    confusion = scorer.confusion()
    assert [tuple(cell) for cell in np.argwhere(confusion).tolist()] == [(0, 1), (3, 4), (4, 2)]
    assert confusion.sum() == 3
