"""Standard errors of built-in metrics, against a bootstrap with other libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from mtlsearch_plugins.classification import Classification
from mtlsearch_plugins.detection import Detection
from mtlsearch_plugins.regression import Regression
from mtlsearch_plugins.segmentation import Segmentation
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    jaccard_score,
    log_loss,
    mean_absolute_error,
    r2_score,
)
from torch import Generator, Tensor

from mtlsearch.labels import Boxes, Form, LabelSpec
from mtlsearch.plugin import BoxTargets, SubsetMeter, TargetValues, Task
from mtlsearch.prediction import BoxesPrediction
from mtlsearch.results import jackknife_error
from mtlsearch.training._evaluate import folds
from tests.evaluation.coco import coco_average_precisions

CLASSES = ("cat", "dog", "hare")
VOID = 255

Oracle = Callable[[Sequence[int]], dict[str, float]]
"""Function from drawn images to metrics."""


@dataclass(frozen=True)
class Case:
    """Outputs of a task for images, and metrics of any draw by another library.

    Attributes:
        task: the task.
        outputs: outputs of the head by image.
        targets: label by image.
        oracle: metrics of drawn images.
    """

    task: Task
    outputs: Sequence[dict[str, Tensor]]
    targets: Sequence[TargetValues]
    oracle: Oracle
    num_resamples: int = field(default=150)

    def errors(self) -> dict[str, float]:
        """Return the error of each metric by the meter of the task."""
        meter = self.task.meter()
        assert isinstance(meter, SubsetMeter)
        for outputs, targets in zip(self.outputs, self.targets, strict=True):
            meter.update(outputs, targets)
        numbers = folds(range(len(self.outputs)))
        subsets = [
            meter.compute_subset([image for image, of in enumerate(numbers) if of != number])
            for number in range(max(numbers) + 1)
        ]
        return {name: jackknife_error([subset[name] for subset in subsets]) for name in subsets[0]}

    def bootstrapped(self) -> dict[str, float]:
        """Return the deviation of each metric over resamples."""
        generator = np.random.default_rng(0)
        count = len(self.outputs)
        samples = [
            self.oracle(generator.integers(count, size=count).tolist())
            for _ in range(self.num_resamples)
        ]
        return {name: float(np.std([sample[name] for sample in samples])) for name in samples[0]}


def category(seed: int) -> Case:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(3, (200,), generator=generator)
    logits = torch.randn(200, 3, generator=generator)
    logits[torch.arange(200), truth] += 1.0
    scores, true = logits.double().softmax(1).numpy(), truth.numpy()
    predicted = scores.argmax(1)

    def oracle(drawn: Sequence[int]) -> dict[str, float]:
        return {
            "accuracy": accuracy_score(true[drawn], predicted[drawn]),
            "f1": f1_score(true[drawn], predicted[drawn], average="macro"),
            "nll": log_loss(true[drawn], scores[drawn], labels=[0, 1, 2]),
        }

    task = Classification(
        "it", Classification.Settings(), LabelSpec(Form.CATEGORY, classes=CLASSES)
    )
    return Case(task, [{"logits": row[None]} for row in logits], list(truth.split(1)), oracle)


def categories(seed: int) -> Case:
    generator = torch.Generator().manual_seed(seed)
    truth = (torch.rand(200, 3, generator=generator) < 0.4).float()
    logits = torch.randn(200, 3, generator=generator) + truth
    scores, true = logits.sigmoid().numpy(), truth.numpy()

    def oracle(drawn: Sequence[int]) -> dict[str, float]:
        return {"mAP": average_precision_score(true[drawn], scores[drawn], average="macro")}

    task = Classification(
        "it", Classification.Settings(), LabelSpec(Form.CATEGORIES, classes=CLASSES)
    )
    return Case(task, [{"logits": row[None]} for row in logits], list(truth.split(1)), oracle)


def number(seed: int) -> Case:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(200, generator=generator)
    predicted = truth + 0.5 * torch.randn(200, generator=generator)
    true, values = truth.numpy(), predicted.numpy()

    def oracle(drawn: Sequence[int]) -> dict[str, float]:
        return {
            "MAE": mean_absolute_error(true[drawn], values[drawn]),
            "R2": r2_score(true[drawn], values[drawn]),
        }

    task = Regression("it", Regression.Settings(), LabelSpec(Form.NUMBER, mean=0.0, std=1.0))
    outputs = [{"value": value, "std": torch.ones(1)} for value in predicted.split(1)]
    return Case(task, outputs, list(truth.split(1)), oracle)


def mask(seed: int) -> Case:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(3, (80, 6, 6), generator=generator)
    difficulty = 2 * torch.rand(80, 1, 1, 1, generator=generator)  # images differ
    logits = torch.randn(80, 3, 6, 6, generator=generator)
    logits.scatter_add_(1, truth[:, None], difficulty.expand(-1, -1, 6, 6))
    truth[torch.rand(truth.shape, generator=generator) < 0.1] = VOID
    true, predicted = truth.numpy(), logits.argmax(1).numpy()

    def oracle(drawn: Sequence[int]) -> dict[str, float]:
        is_labeled = true[drawn] != VOID
        y, shown = true[drawn][is_labeled], predicted[drawn][is_labeled]
        return {
            "mIoU": jaccard_score(y, shown, average="macro"),
            "pixel_accuracy": accuracy_score(y, shown),
        }

    label = LabelSpec(Form.MASK, classes=CLASSES, ignore_index=VOID)
    task = Segmentation("it", Segmentation.Settings(), label)
    return Case(task, [{"logits": row[None]} for row in logits], list(truth.split(1)), oracle)


def boxes(seed: int) -> Case:
    generator = torch.Generator().manual_seed(seed)
    images = [_boxes_of_image(generator) for _ in range(40)]

    def oracle(drawn: Sequence[int]) -> dict[str, float]:
        precision = coco_average_precisions(
            [(images[image][0], images[image][1]) for image in drawn], 3
        )
        return {"mAP": float(precision.mean()), "mAP50": float(precision[0].mean())}

    task = Detection("it", Detection.Settings(), LabelSpec(Form.BOXES, classes=CLASSES))
    return Case(
        task,
        [_detection_outputs(predicted) for predicted, _ in images],
        [(_box_targets(true),) for _, true in images],
        oracle,
        num_resamples=40,
    )


def _boxes_of_image(generator: Generator) -> tuple[BoxesPrediction, Boxes]:
    """Return shifted boxes and true ones, which do not overlap."""
    count = 4
    corner = torch.tensor([[0.0, 0.0], [32.0, 0.0], [0.0, 32.0], [32.0, 32.0]])
    low = corner + 4 + 4 * torch.rand(count, 2, generator=generator)
    high = low + 10 + 8 * torch.rand(count, 2, generator=generator)
    true = torch.cat([low, high], 1)
    shift = 2 * torch.rand(1, generator=generator) * torch.randn(count, 4, generator=generator)
    classes = torch.randint(3, (count,), generator=generator)
    is_correct = torch.rand(count, generator=generator) < 0.7
    shown = torch.where(is_correct, classes, (classes + 1) % 3)
    scores = 0.2 + 0.6 * torch.rand(count, generator=generator)
    return (
        BoxesPrediction((true + shift).numpy(), shown.numpy(), scores.numpy()),
        Boxes(true.numpy(), classes.numpy(), np.zeros(count, np.bool_)),
    )


def _detection_outputs(predicted: BoxesPrediction) -> dict[str, Tensor]:
    """Return outputs of a head that predict the boxes, each from a point near its center."""
    xyxy, count = torch.from_numpy(predicted.xyxy), len(predicted.scores)
    middle, sides = (xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2]
    grid = torch.cat([middle, torch.full((count, 1), 8.0)], dim=1)
    logits = torch.full((count, len(CLASSES)), -20.0)
    scores = torch.from_numpy(predicted.scores)
    logits[torch.arange(count), torch.from_numpy(predicted.classes)] = scores.logit()
    return {
        "logits": logits[None],
        "raw_boxes": torch.cat([torch.zeros(count, 2), (sides / 32).log()], dim=1)[None],
        "grid": grid[None],
        "size": torch.tensor([[64.0, 64.0]]),
    }


def _box_targets(true: Boxes) -> BoxTargets:
    return BoxTargets(
        torch.from_numpy(true.xyxy), torch.from_numpy(true.classes), torch.from_numpy(true.crowd)
    )


@pytest.mark.slow
@pytest.mark.parametrize("make", [category, categories, number, mask, boxes])
def test_error_agrees_with_bootstrap(make: Callable[[int], Case]) -> None:
    cases = [make(seed) for seed in range(6)]
    pairs = [(case.errors(), case.bootstrapped()) for case in cases]
    names = list(pairs[0][1])
    ratios: NDArray[np.float64] = np.array(
        [[errors[name] / expected[name] for name in names] for errors, expected in pairs]
    )
    # The error of 20 folds has a standard error of a sixth, the mean of six errors of a fifteenth.
    np.testing.assert_allclose(ratios.mean(axis=0), 1.0, atol=0.25, err_msg=str(names))
    np.testing.assert_allclose(ratios, 1.0, atol=0.7, err_msg=str(names))


def test_detections_of_a_subset_equal_those_of_pycocotools() -> None:
    generator = torch.Generator().manual_seed(1)
    images = [_boxes_of_image(generator) for _ in range(12)]
    images[2] = (images[2][0], Boxes.empty())
    nothing = BoxesPrediction(
        np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32)
    )
    images[3] = (nothing, images[3][1])
    images[4][1].crowd[0] = True
    meter = Detection("it", Detection.Settings(), LabelSpec(Form.BOXES, classes=CLASSES)).meter()
    assert isinstance(meter, SubsetMeter)
    for predicted, true in images:
        meter.update(_detection_outputs(predicted), (_box_targets(true),))
    for subset in (list(range(12)), [0, 2, 3, 4, 7], [2, 5], [4]):
        precision = coco_average_precisions([images[image] for image in subset], 3)
        values = meter.compute_subset(subset)
        assert values["mAP"] == pytest.approx(precision[precision > -1].mean(), abs=1e-6)
        assert values["mAP50"] == pytest.approx(precision[0][precision[0] > -1].mean(), abs=1e-6)
    assert all(np.isnan(value) for value in meter.compute_subset([2]).values())
