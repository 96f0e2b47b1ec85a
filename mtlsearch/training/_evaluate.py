"""Metrics of a network on labelled images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import nn

from mtlsearch.errors import PluginError
from mtlsearch.plugin import Batch, Meter, Task
from mtlsearch.training._error_context import place_of
from mtlsearch.training._failures import translate_errors
from mtlsearch.training._losses import run_labelled
from mtlsearch.training._placement import resolve_placement
from mtlsearch.training._precision import Precision


def evaluate(
    network: nn.Module,
    tasks: Mapping[str, Task],
    batches: Iterable[Batch],
    labels_of: Mapping[str, str],
    device: torch.device,
    precision: Precision | None = None,
    channels_last: bool | Literal["auto"] = "auto",
) -> dict[str, dict[str, float]]:
    """Every task's metrics over all batches; the network's mode is left as it was.

    Args:
        network: ``network(images, tasks) -> {task: outputs}``, on ``device``.
        tasks: the tasks to measure, by name.
        batches: images and labels; a task is measured on those that carry its label.
        labels_of: the label that each task learns.
        device: where the network is.
        precision: the number format; float32 by default.
        channels_last: the memory order of images; ``auto`` is yes on CPU and CUDA.

    Returns:
        By task and metric; NaN where nothing was labelled.

    Raises:
        PluginError: a meter does not measure what its task declares.
        TrainingError: the device's memory does not suffice.
    """
    placement = resolve_placement(channels_last, device)
    meters = {name: task.meter() for name, task in tasks.items()}
    training = network.training
    network.eval()
    try:
        with torch.inference_mode(), translate_errors():
            for batch in batches:
                found = run_labelled(
                    network, tasks, labels_of, placement.batch(batch), precision or Precision()
                )
                for name, labelled in found.items():
                    meters[name].update(labelled.outputs, labelled.targets)
            return {name: _read(tasks[name], meter) for name, meter in meters.items()}
    finally:
        network.train(training)


def _read(task: Task, meter: Meter) -> dict[str, float]:
    """What a meter measured, all that its task declares."""
    found = {metric: float(value) for metric, value in meter.compute().items()}
    declared = [metric.name for metric in task.metrics]
    if set(declared) - set(found):
        raise PluginError(
            f"the meter of task {task.name!r} returned {', '.join(found) or 'nothing'}; "
            f"declared: {', '.join(declared)}",
            where=place_of(task),
            next_step="call metrics in `metrics` and in what the meter computes by the same names",
        )
    return found
