"""Metrics of a network on labeled images."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import nn

from mtlsearch.errors import PluginError
from mtlsearch.plugin import Batch, Meter, PerClassMeter, SubsetMeter, Task
from mtlsearch.training._device import Precision, resolve_placement
from mtlsearch.training._error_context import origin_of, translate_errors
from mtlsearch.training._losses import run_labeled

MAX_FOLDS = 20
"""Largest number of folds; the standard error of an error from n folds is 1 / sqrt(2 n) of it."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Results of one evaluation.

    Attributes:
        metrics: value by task and metric name; NaN where no image has a label.
        per_class: value by task, metric and class name; only of tasks whose meter has results
            per class, and empty unless they were requested.
        replicates: value by task and metric name without each fold of the images; without metrics
            that are undefined without a fold, and empty unless they were requested.
    """

    metrics: dict[str, dict[str, float]]
    per_class: dict[str, dict[str, dict[str, float]]]
    replicates: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)


def evaluate(
    network: nn.Module,
    tasks: Mapping[str, Task],
    batches: Iterable[Batch],
    label_by_task: Mapping[str, str],
    device: torch.device,
    precision: Precision | None = None,
    channels_last: bool | Literal["auto"] = "auto",
) -> dict[str, dict[str, float]]:
    """Compute the metrics of every task over all batches, in evaluation mode.

    The mode of the network is restored.

    Args:
        network: ``network(images, tasks) -> {task: outputs}``, on ``device``.
        tasks: tasks to evaluate, by name.
        batches: images and labels; a task is evaluated on the images that carry its label.
        label_by_task: the label that each task learns.
        device: device of the network.
        precision: number format of the forward pass; float32 by default.
        channels_last: memory order of the images; ``"auto"`` is true on CPU and CUDA.

    Returns:
        Metric values by task and metric name; NaN where no image has a label.

    Raises:
        PluginError: a meter does not compute a metric that its task declares.
        TrainingError: the memory of the device is too small.
    """
    return evaluate_classes(
        network,
        tasks,
        batches,
        label_by_task,
        device,
        precision,
        channels_last,
        should_split=False,
    ).metrics


def evaluate_classes(
    network: nn.Module,
    tasks: Mapping[str, Task],
    batches: Iterable[Batch],
    label_by_task: Mapping[str, str],
    device: torch.device,
    precision: Precision | None = None,
    channels_last: bool | Literal["auto"] = "auto",
    *,
    should_split: bool = True,
    groups: Sequence[Hashable] | None = None,
) -> Evaluated:
    """Compute the metrics of every task, its results per class and its replicates.

    The arguments and errors are those of :func:`evaluate`.

    Args:
        network: see :func:`evaluate`. The same holds for the following.
        tasks: tasks to evaluate.
        batches: images and labels.
        label_by_task: the label that each task learns.
        device: device of the network.
        precision: number format.
        channels_last: memory order of the images.
        should_split: whether to compute the results per class.
        groups: the group of each image in the order of ``batches``; the images of a group are in
            one fold. None: no replicates.

    Returns:
        The results.
    """
    placement = resolve_placement(channels_last, device)
    meters = {name: task.meter() for name, task in tasks.items()}
    images_by_task: dict[str, list[int]] = {name: [] for name in tasks}
    num_images = 0
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), translate_errors():
            for batch in batches:
                outputs_by_task = run_labeled(
                    network, tasks, label_by_task, placement.batch(batch), precision or Precision()
                )
                for name, labeled in outputs_by_task.items():
                    meters[name].update(labeled.outputs, labeled.targets)
                    rows = batch.targets[label_by_task[name]].rows.tolist()
                    images_by_task[name] += [num_images + row for row in rows]
                num_images += len(batch.images)
            metrics = {name: _compute(tasks[name], meter) for name, meter in meters.items()}
            return Evaluated(
                metrics,
                _per_class(meters) if should_split else {},
                {} if groups is None else _replicates(meters, images_by_task, folds(groups)),
            )
    finally:
        network.train(was_training)


def _compute(task: Task, meter: Meter) -> dict[str, float]:
    """Return the metrics of a meter; check that all declared metrics are present."""
    values = {metric: float(value) for metric, value in meter.compute().items()}
    declared = [metric.name for metric in task.metrics]
    if set(declared) - set(values):
        raise PluginError(
            f"the meter of task {task.name!r} returned {', '.join(values) or 'nothing'}; "
            f"declared: {', '.join(declared)}",
            where=origin_of(task),
            next_step="use the same metric names in `metrics` and in the meter's `compute`",
        )
    return values


def _per_class(meters: Mapping[str, Meter]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the results per class of the meters that have them."""
    per_class = {}
    for task, meter in meters.items():
        values = meter.per_class() if isinstance(meter, PerClassMeter) else {}
        if values:
            per_class[task] = {
                metric: {name: float(value) for name, value in by_class.items()}
                for metric, by_class in values.items()
            }
    return per_class


def folds(groups: Sequence[Hashable]) -> list[int]:
    """Return the fold of each image, equal for equal groups.

    Groups are assigned at random with a fixed seed, so that the order of images, such as by class,
    has no effect and all trials of a run have equal folds.

    Args:
        groups: the group of each image.

    Returns:
        Numbers from 0, of at most :data:`MAX_FOLDS` folds.
    """
    number_by_group = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    num_folds = min(len(number_by_group), MAX_FOLDS)
    order = np.random.default_rng(0).permutation(len(number_by_group)).tolist()
    return [order[number_by_group[group]] % num_folds for group in groups]


def _replicates(
    meters: Mapping[str, Meter], images_by_task: Mapping[str, Sequence[int]], folds: Sequence[int]
) -> dict[str, dict[str, tuple[float, ...]]]:
    """Return the metrics without each fold, of the meters that compute them."""
    replicates = {}
    num_folds = len(set(folds))
    for task, meter in meters.items():
        if isinstance(meter, SubsetMeter) and num_folds > 1:
            fold_by_row = [folds[image] for image in images_by_task[task]]
            subsets = [
                meter.compute_subset(
                    [row for row, of_row in enumerate(fold_by_row) if of_row != fold]
                )
                for fold in range(num_folds)
            ]
            values = {name: tuple(float(subset[name]) for subset in subsets) for name in subsets[0]}
            replicates[task] = {
                name: items for name, items in values.items() if all(map(math.isfinite, items))
            }
    return replicates
