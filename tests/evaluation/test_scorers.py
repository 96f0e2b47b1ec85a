"""Scorers, compared with scikit-learn on resamples of images."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    jaccard_score,
    mean_absolute_error,
    r2_score,
    recall_score,
)

from mtlsearch.evaluation import (
    CategoriesScorer,
    CategoryScorer,
    MaskScorer,
    NumberScorer,
    bootstrap,
    resamples,
)
from mtlsearch.prediction import (
    CategoriesPrediction,
    CategoryPrediction,
    MaskPrediction,
    NumberPrediction,
)

CLASSES = ("cat", "dog", "hare", "mole")
LABELS = list(range(len(CLASSES)))
NUM_IMAGES = 40
VOID = 255


def random_counts(seed: int) -> np.ndarray:
    (counts,) = resamples(NUM_IMAGES, 1, seed)
    return counts


def random_categories(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scores ``[n, C]`` and true classes; the last class neither occurs nor is predicted."""
    generator = np.random.default_rng(seed)
    scores = generator.dirichlet(np.ones(3), NUM_IMAGES)
    scores = np.hstack([scores, np.zeros((NUM_IMAGES, 1))]).astype(np.float32)
    return scores, generator.integers(0, 3, NUM_IMAGES)


def category_scorer(scores: np.ndarray, true: np.ndarray) -> CategoryScorer:
    scorer = CategoryScorer(CLASSES)
    for row, label in zip(scores, true.tolist(), strict=True):
        scorer.add(CategoryPrediction(int(row.argmax()), row), label)
    return scorer


@pytest.mark.parametrize("seed", range(3))
def test_category_results_equal_scikit_learn(seed: int) -> None:
    scores, true = random_categories(seed)
    scorer, counts = category_scorer(scores, true), random_counts(seed)
    drawn = np.repeat(np.arange(NUM_IMAGES), counts)
    y, predicted = true[drawn], scores.argmax(1)[drawn]
    metrics = scorer.compute(counts)
    assert metrics["accuracy"] == pytest.approx(accuracy_score(y, predicted))
    assert metrics["f1"] == pytest.approx(f1_score(y, predicted, average="macro"))
    per_class = scorer.per_class(counts)
    functions: dict[str, Callable[..., np.ndarray]] = {
        "accuracy": recall_score,
        "F1": f1_score,
        "IoU": jaccard_score,
    }
    for metric, function in functions.items():
        expected = function(y, predicted, labels=LABELS[:3], average=None, zero_division=0)
        values = list(per_class[metric].values())
        assert values[:3] == pytest.approx(expected.tolist())
        assert math.isnan(values[3])
    assert np.array_equal(
        scorer.confusion(), confusion_matrix(true, scores.argmax(1), labels=LABELS)
    )
    assert list(scorer.support().values()) == np.bincount(true, minlength=4).tolist()


def test_category_quality_is_the_probability_of_the_truth() -> None:
    scores, true = random_categories(0)
    qualities = category_scorer(scores, true).qualities()
    assert qualities == pytest.approx(scores[np.arange(NUM_IMAGES), true].tolist())


@pytest.mark.parametrize("seed", range(3))
def test_categories_results_equal_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = np.round(generator.random((NUM_IMAGES, 4)), 1).astype(np.float32)  # with ties
    true = generator.random((NUM_IMAGES, 4)) < 0.3
    true[:, 3] = False
    scorer, counts = CategoriesScorer(CLASSES), random_counts(seed)
    for row, flags in zip(scores, true, strict=True):
        shown = tuple(int(index) for index in np.flatnonzero(row >= 0.5))
        scorer.add(CategoriesPrediction(shown, row), tuple(np.flatnonzero(flags).tolist()))
    drawn = np.repeat(np.arange(NUM_IMAGES), counts)
    expected = [
        average_precision_score(true[drawn, index], scores[drawn, index]) for index in (0, 1, 2)
    ]
    per_class = scorer.per_class(counts)
    assert list(per_class["AP"].values())[:3] == pytest.approx(expected)
    assert math.isnan(per_class["AP"]["mole"])
    assert scorer.compute(counts)["mAP"] == pytest.approx(np.mean(expected))
    for index, name in enumerate(CLASSES[:3]):
        y, predicted = true[drawn, index], scores[drawn, index] >= 0.5
        assert per_class["F1"][name] == pytest.approx(f1_score(y, predicted))
        assert per_class["IoU"][name] == pytest.approx(jaccard_score(y, predicted))


@pytest.mark.parametrize("ignore_index", [VOID, 3, -1])
def test_mask_results_equal_scikit_learn(ignore_index: int) -> None:
    generator = np.random.default_rng(0)
    scorer, counts = MaskScorer(CLASSES, ignore_index), random_counts(0)
    pairs = []
    for _ in range(NUM_IMAGES):
        shape = tuple(generator.integers(3, 9, 2))
        true = generator.integers(0, 3, shape)
        true[0] = ignore_index
        predicted = np.where(generator.random(shape) < 0.5, true, generator.integers(0, 3, shape))
        predicted = np.where(predicted == ignore_index, 0, predicted)
        scorer.add(MaskPrediction(predicted.astype(np.uint8)), true.astype(np.int32))
        pairs.append((true[true != ignore_index], predicted[true != ignore_index]))
    drawn = np.repeat(np.arange(NUM_IMAGES), counts)
    y = np.concatenate([pairs[index][0] for index in drawn])
    predicted = np.concatenate([pairs[index][1] for index in drawn])
    expected = jaccard_score(y, predicted, labels=LABELS[:3], average=None)
    metrics, per_class = scorer.compute(counts), scorer.per_class(counts)
    assert metrics["mIoU"] == pytest.approx(expected.mean())
    assert metrics["pixel_accuracy"] == pytest.approx(accuracy_score(y, predicted))
    assert list(per_class["IoU"].values())[:3] == pytest.approx(expected.tolist())
    assert math.isnan(per_class["IoU"]["mole"])
    everything = [np.concatenate(parts) for parts in zip(*pairs, strict=True)]
    assert np.array_equal(scorer.confusion(), confusion_matrix(*everything, labels=LABELS))


def test_intervals_equal_those_of_repeated_images() -> None:
    scores, true = random_categories(1)
    estimates = bootstrap(category_scorer(scores, true), NUM_IMAGES, count=300, seed=7)
    generator = np.random.default_rng(7)
    values = []
    for _ in range(300):
        drawn = generator.integers(NUM_IMAGES, size=NUM_IMAGES)
        values.append(f1_score(true[drawn], scores.argmax(1)[drawn], average="macro"))
    low, high = np.percentile(values, [2.5, 97.5])
    estimate = estimates.metrics["f1"]
    assert estimate.value == pytest.approx(f1_score(true, scores.argmax(1), average="macro"))
    assert (estimate.low, estimate.high) == pytest.approx((low, high))


def test_one_image_has_no_interval() -> None:
    scores, true = random_categories(0)
    estimate = bootstrap(category_scorer(scores[:1], true[:1]), 1, count=50, seed=0).metrics
    assert math.isnan(estimate["accuracy"].low)
    assert math.isnan(estimate["accuracy"].high)


def test_undefined_resamples_do_not_enter_an_interval() -> None:
    scorer = CategoriesScorer(("cat",))
    for index in range(4):
        score = np.array([index / 4], np.float32)
        scorer.add(CategoriesPrediction((), score), (0,) if index == 3 else ())
    estimate = bootstrap(scorer, 4, count=200, seed=0).metrics["mAP"]
    assert (estimate.value, estimate.low, estimate.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mean", [0.0, 2000.0])
def test_number_results_equal_scikit_learn(seed: int, mean: float) -> None:
    generator = np.random.default_rng(seed)
    true = mean + generator.standard_normal(NUM_IMAGES)
    predicted = true + generator.standard_normal(NUM_IMAGES)
    scorer, counts = NumberScorer(), random_counts(seed)
    for value, label in zip(predicted.tolist(), true.tolist(), strict=True):
        scorer.add(NumberPrediction(value), label)
    drawn = np.repeat(np.arange(NUM_IMAGES), counts)
    metrics = scorer.compute(counts)
    assert metrics["MAE"] == pytest.approx(mean_absolute_error(true[drawn], predicted[drawn]))
    assert metrics["R2"] == pytest.approx(r2_score(true[drawn], predicted[drawn]))
    assert scorer.qualities() == pytest.approx(-np.abs(true - predicted))


def test_r2_of_equal_or_missing_numbers_is_undefined() -> None:
    scorer = NumberScorer()
    for value in (1.0, 2.0):
        scorer.add(NumberPrediction(value), 3.0)
    assert scorer.compute(np.array([2, 1]))["MAE"] == pytest.approx(5 / 3)
    assert math.isnan(scorer.compute(np.array([2, 1]))["R2"])
    assert math.isnan(scorer.compute(np.array([0, 0]))["MAE"])
