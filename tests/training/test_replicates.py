"""Replicates of metrics: values without each fold of the validation images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor

from mtlsearch.config import TrainConfig
from mtlsearch.plugin import Outputs, TargetValues, Task
from mtlsearch.training import TrainJob, evaluate, train
from mtlsearch.training._evaluate import evaluate_classes, folds
from tests.training.fakes import CPU, Accuracy, Guess, Network, Points, guesses

BOTH = {"a": "a", "b": "b"}


class SubsetAccuracy(Accuracy):
    """Meter that keeps whether each prediction is correct."""

    def __init__(self) -> None:
        super().__init__()
        self.is_correct: list[bool] = []

    def update(self, outputs: Outputs, targets: TargetValues) -> None:
        super().update(outputs, targets)
        assert isinstance(targets, Tensor)
        self.is_correct += (outputs["scores"].argmax(1) == targets).tolist()

    def compute_subset(self, images: Sequence[int]) -> Mapping[str, float]:
        kept = [self.is_correct[image] for image in images]
        return {"accuracy": sum(kept) / len(kept) if kept else math.nan}


class SubsetGuess(Guess):
    """Task kind whose metric has a standard error."""

    def meter(self) -> Accuracy:
        return SubsetAccuracy()


def subset_guesses(*names: str) -> dict[str, Task]:
    return {
        name: SubsetGuess(name, task.settings, task.label) for name, task in guesses(*names).items()
    }


def without(points: Points, images: set[int]) -> list[int]:
    return [image for image in range(points.images) if image not in images]


@pytest.mark.parametrize("num_images", [2, 7, 20, 33, 150])
def test_folds_have_nearly_equal_sizes(num_images: int) -> None:
    numbers = folds(range(num_images))
    sizes = [numbers.count(number) for number in range(max(numbers) + 1)]
    assert len(sizes) == min(num_images, 20)
    assert max(sizes) - min(sizes) <= 1
    assert numbers == folds(range(num_images))


def test_images_of_a_group_are_in_one_fold() -> None:
    groups = [index // 3 for index in range(90)]
    numbers = folds(groups)
    assert len(set(numbers)) == 20
    assert len(set(zip(groups, numbers, strict=True))) == 30


def test_folds_do_not_follow_the_order_of_images() -> None:
    numbers = folds(range(100))
    assert numbers != [index % 20 for index in range(100)]


def test_replicates_are_metrics_without_each_fold() -> None:
    points, network = Points(images=30), Network("a", "b")
    groups = list(range(30))
    result = evaluate_classes(
        network, subset_guesses("a", "b"), points.eval_batches("val", 7), BOTH, CPU, groups=groups
    )
    for fold in range(20):
        left_out = {image for image, number in enumerate(folds(groups)) if number == fold}
        batches = points._batches(without(points, left_out), 7)
        expected = evaluate(network, guesses("a", "b"), batches, BOTH, CPU)
        for name in BOTH:
            value = result.replicates[name]["accuracy"][fold]
            assert value == pytest.approx(expected[name]["accuracy"])


def test_images_without_label_have_equal_folds() -> None:
    points = Points(images=40, labeled={"b": range(5, 30)})
    result = evaluate_classes(
        Network("a", "b"),
        subset_guesses("a", "b"),
        points.eval_batches("val", 7),
        BOTH,
        CPU,
        groups=range(40),
    )
    replicates = result.replicates["b"]["accuracy"]
    assert len(replicates) == len(result.replicates["a"]["accuracy"]) == 20
    is_labeled = dict.fromkeys(range(20), False)
    for image in range(5, 30):
        is_labeled[folds(range(40))[image]] = True
    for number, value in enumerate(replicates):
        if not is_labeled[number]:
            assert value == pytest.approx(result.metrics["b"]["accuracy"])


def test_meter_without_subsets_has_no_replicates() -> None:
    tasks = {**guesses("a"), **subset_guesses("b")}
    batches = Points().eval_batches("val", 8)
    result = evaluate_classes(Network("a", "b"), tasks, batches, BOTH, CPU, groups=range(24))
    assert set(result.replicates) == {"b"}


def test_metric_that_is_undefined_without_a_fold_has_none() -> None:
    points = Points(images=24, labeled={"a": range(1)})
    batches = points.eval_batches("val", 8)
    result = evaluate_classes(
        Network("a"), subset_guesses("a"), batches, {"a": "a"}, CPU, groups=range(24)
    )
    assert result.replicates == {"a": {}}


def test_training_has_replicates_in_rungs_and_at_its_end() -> None:
    torch.manual_seed(0)
    job = TrainJob(
        network=Network("a", "b"),
        tasks=subset_guesses("a", "b"),
        data=Points(),
        config=TrainConfig(epochs=4, batch_size=8),
        label_by_task=BOTH,
        loss_weights={"a": 1.0, "b": 1.0},
        learning_rate=0.01,
        device=CPU,
        seed=0,
        rungs=(2,),
    )
    result = train(job)
    assert [bool(record.replicates) for record in result.epochs] == [False, True, False, True]
