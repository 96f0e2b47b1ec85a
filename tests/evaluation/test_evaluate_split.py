"""Evaluation of a trained network: its numbers equal an independent computation."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score

from mtlsearch.config import load_run
from mtlsearch.errors import ConfigError
from mtlsearch.evaluation import Evaluation, EvaluationJob, evaluate_split, trial_job
from mtlsearch.labels import Boxes, RawLabel
from mtlsearch.prediction import BoxesPrediction, OutputSpec, Prediction, decode
from mtlsearch.registry import build_registry
from mtlsearch.results import TrialRecord
from mtlsearch.runs import open_session
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory, read_records
from tests.evaluation.coco import coco_average_precisions
from tests.evaluation.conftest import TrainedRun

pytestmark = pytest.mark.xdist_group("trained_run")
RESAMPLES = 60
INPUT_SIZE, IMAGE_SIZE = (32, 48), (72, 72)


@cache
def open_job(run: TrainedRun, split: str = "test") -> tuple[EvaluationJob, TrialRecord]:
    resolved = build_registry().resolve(load_run(run.run / "run.yaml"))
    session = open_session(
        resolved,
        RunDirectory(run.run),
        device=torch.device("cpu"),
        progress=NullProgress(),
        check=False,
    )
    record = read_records(run.run, resolved.config)[0]
    return trial_job(session, record, split=split, resamples=RESAMPLES, seed=3), record


@cache
def evaluate(run: TrainedRun, split: str = "test") -> Evaluation:
    return evaluate_split(open_job(run, split)[0], lambda message, done, total: None)


def pairs(
    job: EvaluationJob, task: str, size: tuple[int, int]
) -> list[tuple[Prediction, RawLabel]]:
    """Return prediction and label of every image, one image at a time."""
    output = job.predictor.outputs[task]
    if "score_threshold" in output.options:
        output = OutputSpec(
            output.form, output.classes, "", {**output.options, "score_threshold": 0.01}
        )
    predicted_pairs = []
    (batch,) = job.data.eval_batches(job.split, job.data.size(job.split))
    targets = batch.targets[job.label_by_task[task]].values
    for index in range(job.data.size(job.split)):
        (sample,) = job.data.samples(job.split, [index])
        arrays = {name: array[0] for name, array in job.predictor.run([sample.image])[task].items()}
        prediction = decode(output, arrays, input_size=INPUT_SIZE, image_size=size)
        label = sample.labels[job.label_by_task[task]]
        if size == INPUT_SIZE:
            target = targets[index]
            label = (
                target.numpy()
                if isinstance(target, torch.Tensor)
                else Boxes(target.xyxy.numpy(), target.classes.numpy(), target.crowd.numpy())
            )
        predicted_pairs.append((prediction, label))
    return predicted_pairs


def test_metrics_at_the_input_size_equal_those_of_training(trained_run: TrainedRun) -> None:
    evaluation, (_, record) = evaluate(trained_run, "val"), open_job(trained_run, "val")
    assert evaluation.num_images == 10
    for name, result in record.results.items():
        estimates = evaluation.tasks[name].sizes["network"]
        assert set(estimates.metrics) == set(result.metrics)
        for metric, value in result.metrics.items():
            assert estimates.metrics[metric].value == pytest.approx(value, abs=1e-6), metric
        for metric, by_class in result.per_class.items():
            values = [estimate.value for estimate in estimates.per_class[metric].values()]
            assert values == pytest.approx(list(by_class.values()), abs=1e-6, nan_ok=True), metric


def test_classification_equals_scikit_learn(trained_run: TrainedRun) -> None:
    job, _ = open_job(trained_run)
    predicted_pairs = pairs(job, "scene", IMAGE_SIZE)
    true = np.array([label for _, label in predicted_pairs])
    predicted = np.array([prediction.index for prediction, _ in predicted_pairs])  # type: ignore[union-attr]
    task = evaluate(trained_run).tasks["scene"]
    labels = list(range(len(task.classes)))
    assert task.confusion is not None
    assert np.array_equal(task.confusion, confusion_matrix(true, predicted, labels=labels))
    generator = np.random.default_rng(3)
    resampled = [generator.integers(14, size=14) for _ in range(RESAMPLES)]
    for size in ("network", "image"):
        metrics = task.sizes[size].metrics
        assert metrics["accuracy"].value == pytest.approx(accuracy_score(true, predicted))
        assert metrics["f1"].value == pytest.approx(f1_score(true, predicted, average="macro"))
        values = [f1_score(true[rows], predicted[rows], average="macro") for rows in resampled]
        assert (metrics["f1"].low, metrics["f1"].high) == pytest.approx(
            tuple(np.percentile(values, [2.5, 97.5]))
        )


@pytest.mark.parametrize(("size", "pixels"), [("network", INPUT_SIZE), ("image", IMAGE_SIZE)])
def test_segmentation_equals_scikit_learn(
    trained_run: TrainedRun, size: str, pixels: tuple[int, int]
) -> None:
    job, _ = open_job(trained_run)
    predicted_pairs = pairs(job, "shapes", pixels)
    images = [
        (np.asarray(label).ravel(), prediction.indices.ravel())  # type: ignore[union-attr]
        for prediction, label in predicted_pairs
    ]
    assert images[0][0].size == pixels[0] * pixels[1]
    task = evaluate(trained_run).tasks["shapes"]
    true, predicted = (np.concatenate(parts) for parts in zip(*images, strict=True))
    present = sorted({*true.tolist(), *predicted.tolist()})
    expected = jaccard_score(true, predicted, labels=present, average=None)
    estimates = task.sizes[size]  # type: ignore[index]
    assert estimates.metrics["mIoU"].value == pytest.approx(expected.mean())
    assert estimates.metrics["pixel_accuracy"].value == pytest.approx(
        accuracy_score(true, predicted)
    )
    values = list(estimates.per_class["IoU"].values())
    assert [values[index].value for index in present] == pytest.approx(expected.tolist())
    generator = np.random.default_rng(3)
    resampled = []
    for _ in range(RESAMPLES):
        rows = generator.integers(14, size=14)
        y, x = (np.concatenate(parts) for parts in zip(*(images[row] for row in rows), strict=True))
        labels = sorted({*y.tolist(), *x.tolist()})
        resampled.append(jaccard_score(y, x, labels=labels, average="macro"))
    low, high = np.percentile(resampled, [2.5, 97.5])
    estimate = estimates.metrics["mIoU"]
    assert (estimate.low, estimate.high) == pytest.approx((low, high))


@pytest.mark.parametrize(("size", "pixels"), [("network", INPUT_SIZE), ("image", IMAGE_SIZE)])
def test_detection_equals_pycocotools(
    trained_run: TrainedRun, size: str, pixels: tuple[int, int]
) -> None:
    job, _ = open_job(trained_run)
    images = []
    for prediction, label in pairs(job, "objects", pixels):
        assert isinstance(prediction, BoxesPrediction)
        assert isinstance(label, Boxes)
        images.append((prediction, label))
    task = evaluate(trained_run).tasks["objects"]
    expected = coco_average_precisions(images, len(task.classes))
    estimates = task.sizes[size]  # type: ignore[index]
    assert estimates.metrics["mAP"].value == pytest.approx(expected[expected >= 0].mean())
    assert estimates.metrics["mAP"].value > 0
    generator = np.random.default_rng(3)
    resampled = []
    for _ in range(RESAMPLES):
        rows = generator.integers(14, size=14)
        values = coco_average_precisions([images[row] for row in rows], len(task.classes))
        resampled.append(values[values >= 0].mean())
    low, high = np.percentile(resampled, [2.5, 97.5])
    estimate = estimates.metrics["mAP"]
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-4)


def test_images_are_sorted_by_quality(trained_run: TrainedRun) -> None:
    for task in evaluate(trained_run).tasks.values():
        qualities = [image.quality for image in task.images]
        assert qualities == sorted(qualities)
        assert sorted(image.index for image in task.images) == list(range(14))


def test_split_without_images_is_refused(trained_run: TrainedRun) -> None:
    job, _ = open_job(trained_run)
    with pytest.raises(ConfigError, match="has no images") as caught:
        evaluate_split(replace(job, split="extra", data=_Empty(job.data)), lambda *_: None)  # type: ignore[arg-type]
    assert caught.value.allowed == ("test", "val")


class _Empty:
    """Data without images in one split."""

    def __init__(self, data: object) -> None:
        self._data = data

    def size(self, split: str) -> int:
        return 0 if split == "extra" else 5
