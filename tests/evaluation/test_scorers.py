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
    multilabel_confusion_matrix,
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
    assert metrics["nll"] == pytest.approx(-np.log(scores[drawn, y]).mean(), rel=1e-5)
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
    metrics = scorer.compute(counts)
    assert metrics["mAP"] == pytest.approx(np.mean(expected))
    of_truth = np.where(true, scores, 1 - scores)[drawn].astype(float).clip(1e-7)
    assert metrics["nll"] == pytest.approx(-np.log(of_truth).mean(), rel=1e-4)
    for index, name in enumerate(CLASSES[:3]):
        y, predicted = true[drawn, index], scores[drawn, index] >= 0.5
        assert per_class["F1"][name] == pytest.approx(f1_score(y, predicted))
        assert per_class["IoU"][name] == pytest.approx(jaccard_score(y, predicted))


def categories_confusion(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the confusion matrix of flags ``[n, C]``."""
    scorer = CategoriesScorer(CLASSES)
    for row, flags in zip(predicted, true, strict=True):
        indices = tuple(np.flatnonzero(row).tolist())
        label = tuple(np.flatnonzero(flags).tolist())
        scorer.add(CategoriesPrediction(indices, row.astype(np.float32)), label)
    return scorer.confusion()


@pytest.mark.parametrize("seed", range(3))
def test_categories_confusion_equals_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    true, predicted = generator.random((2, NUM_IMAGES, 4)) < 0.4
    confusion = categories_confusion(true, predicted)
    by_class = multilabel_confusion_matrix(true, predicted)
    assert np.array_equal(confusion.diagonal()[:4], by_class[:, 1, 1])
    missed, wrong = by_class[:, 1, 0], by_class[:, 0, 1]
    assert (confusion[:4].sum(1) - confusion.diagonal()[:4] >= missed).all()
    assert (confusion[:, :4].sum(0) - confusion.diagonal()[:4] >= wrong).all()
    assert confusion[4, 4] == 0
    one_true, one_predicted = generator.integers(0, 4, (2, NUM_IMAGES))
    assert np.array_equal(
        categories_confusion(np.eye(4)[one_true] > 0, np.eye(4)[one_predicted] > 0)[:4, :4],
        confusion_matrix(one_true, one_predicted, labels=LABELS),
    )


@pytest.mark.parametrize(
    ("true", "predicted", "cells"),
    [
        ((0, 1), (0, 1), [(0, 0), (1, 1)]),
        ((0, 1), (0,), [(0, 0), (1, 4)]),
        ((0,), (0, 2), [(0, 0), (4, 2)]),
        ((0, 1), (0, 2, 3), [(0, 0), (1, 2), (1, 3)]),
        ((), (3,), [(4, 3)]),
        ((), (), []),
    ],
)
def test_categories_confusion_pairs_missed_and_wrong_classes(
    true: tuple[int, ...], predicted: tuple[int, ...], cells: list[tuple[int, int]]
) -> None:
    rows = [np.isin(np.arange(4), indices)[None] for indices in (true, predicted)]
    confusion = categories_confusion(*rows)
    assert list(map(tuple, np.argwhere(confusion).tolist())) == cells
    assert confusion.max() <= 1


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


def test_resample_draws_whole_groups() -> None:
    groups = [index // 4 for index in range(NUM_IMAGES)]
    for counts in resamples(NUM_IMAGES, 20, 0, groups):
        by_group = counts.reshape(-1, 4)
        assert (by_group == by_group[:, :1]).all()
        assert counts.sum() == NUM_IMAGES
    alone, named = resamples(NUM_IMAGES, 1, 3), resamples(NUM_IMAGES, 1, 3, list("abcd" * 10))
    assert not np.array_equal(next(iter(alone)), next(iter(named)))
    numbered = resamples(NUM_IMAGES, 1, 3, range(NUM_IMAGES))
    assert np.array_equal(next(iter(resamples(NUM_IMAGES, 1, 3))), next(iter(numbered)))


def test_interval_of_equal_images_in_a_group_is_wider() -> None:
    scorer = CategoryScorer(CLASSES)
    for index in range(NUM_IMAGES):  # the images of a group are all correct or all wrong
        scores = np.eye(4, dtype=np.float32)[(index // 8) % 2]
        scorer.add(CategoryPrediction(int(scores.argmax()), scores), 0)
    groups = [index // 8 for index in range(NUM_IMAGES)]
    alone = bootstrap(scorer, NUM_IMAGES, count=300, seed=0).metrics["accuracy"]
    grouped = bootstrap(scorer, NUM_IMAGES, count=300, seed=0, groups=groups).metrics["accuracy"]
    assert grouped.value == alone.value == 0.6
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


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
