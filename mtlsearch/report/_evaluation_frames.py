"""Evaluation as data frames and as JSON values."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pandas as pd

from mtlsearch.evaluation import Estimate, Evaluation, TaskEvaluation

FORMAT = "mtlsearch-evaluation"
FORMAT_VERSION = 1


def metric_frame(evaluation: Evaluation) -> pd.DataFrame:
    """Return one row per task, metric and size: value, interval, validation and images.

    Args:
        evaluation: the results.

    Returns:
        The frame, all digits.
    """
    rows = [
        {
            "task": name,
            "metric": metric,
            "size": size,
            **asdict(estimate),
            "validation": task.validation.get(metric, math.nan),
            "images": task.num_images,
            "zero_classes": ", ".join(task.zero_classes),
        }
        for name, task in evaluation.tasks.items()
        for size, estimates in task.sizes.items()
        for metric, estimate in estimates.metrics.items()
    ]
    return pd.DataFrame(rows)


def class_frame(evaluation: Evaluation) -> pd.DataFrame:
    """Return one row per task, metric, class and size, with value, interval and support.

    Args:
        evaluation: the results.

    Returns:
        The frame, all digits; without rows if no task has results per class.
    """
    rows = [
        {
            "task": name,
            "metric": metric,
            "class": class_name,
            "size": size,
            **asdict(estimate),
            "support": task.support.get(class_name),
        }
        for name, task in evaluation.tasks.items()
        for size, estimates in task.sizes.items()
        for metric, by_class in estimates.per_class.items()
        for class_name, estimate in by_class.items()
    ]
    names = ("task", "metric", "class", "size", "value", "low", "high", "support")
    return pd.DataFrame(rows, columns=list(names))


def image_frame(evaluation: Evaluation) -> pd.DataFrame:
    """Return one row per task and image, the worst first.

    Args:
        evaluation: the results.

    Returns:
        The frame with task, rank from 1, quality, index in the split and file.
    """
    rows = [
        {
            "task": name,
            "rank": rank,
            "quality": image.quality,
            "index": image.index,
            "image": image.where,
        }
        for name, task in evaluation.tasks.items()
        for rank, image in enumerate(task.images, start=1)
    ]
    return pd.DataFrame(rows, columns=["task", "rank", "quality", "index", "image"])


def confusion_frame(task: TaskEvaluation) -> pd.DataFrame | None:
    """Return the confusion matrix: one row per true and one column per predicted class.

    Args:
        task: results of the task.

    Returns:
        The frame; None if the form of the task has no confusion matrix.
    """
    if task.confusion is None:
        return None
    names = list(task.confusion_names)
    return pd.DataFrame(task.confusion, index=pd.Index(names, name="true class"), columns=names)


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as a JSON value, with null for undefined numbers.

    Args:
        evaluation: the results.

    Returns:
        A dictionary of JSON values.
    """
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "network": evaluation.network,
        "split": evaluation.split,
        "images": evaluation.num_images,
        "input_size": list(evaluation.input_size),
        "resamples": evaluation.resamples,
        "seed": evaluation.seed,
        "tasks": {name: _task_json(task) for name, task in evaluation.tasks.items()},
        "notes": list(evaluation.notes),
    }


def _task_json(task: TaskEvaluation) -> dict[str, Any]:
    return {
        "form": task.form.value,
        "classes": list(task.classes),
        "images": task.num_images,
        "zero_classes": list(task.zero_classes),
        "validation": {name: _number(value) for name, value in task.validation.items()},
        "sizes": {
            size: {
                "metrics": {
                    name: _estimate(estimate) for name, estimate in estimates.metrics.items()
                },
                "per_class": {
                    metric: {name: _estimate(estimate) for name, estimate in by_class.items()}
                    for metric, by_class in estimates.per_class.items()
                },
            }
            for size, estimates in task.sizes.items()
        },
        "support": dict(task.support),
        "confusion": None if task.confusion is None else task.confusion.tolist(),
        "confusion_names": list(task.confusion_names),
        "images_worst_first": [
            {"index": image.index, "image": image.where, "quality": _number(image.quality)}
            for image in task.images
        ],
    }


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {name: _number(value) for name, value in asdict(estimate).items()}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
