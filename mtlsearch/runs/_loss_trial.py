"""Losses of untrained heads, so that settings that a loss refuses are found before training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtlsearch.plugin import Task

if TYPE_CHECKING:
    from mtlsearch.data import DataModule
    from mtlsearch.plugin import FeatureSpec

BATCH_SIZE = 2
"""Number of images per batch."""


def try_losses(
    tasks: Mapping[str, Task],
    label_by_task: Mapping[str, str],
    data: DataModule,
    features: FeatureSpec,
    seed: int,
) -> None:
    """Compute the loss of each task once, for labels of training images.

    Args:
        tasks: tasks by name, after the classes were counted.
        label_by_task: the label that each task learns.
        data: the data, without problems.
        features: feature levels that the heads receive.
        seed: seed of the heads.

    Raises:
        MtlsearchError: a loss refuses a setting, such as a wrong number of class weights.
        PluginError: a head or a loss raises another error.
    """
    import torch

    from mtlsearch.training import attribute_errors_to, seeded_heads

    waiting = seeded_heads(tasks, features, seed)
    for batch in data.eval_batches("train", BATCH_SIZE):
        for name in [name for name in waiting if label_by_task[name] in batch.targets]:
            targets = batch.targets[label_by_task[name]]
            levels = [
                torch.zeros(len(targets.rows), level.channels, *size)
                for level, size in zip(features.levels, features.sizes, strict=True)
            ]
            head = waiting.pop(name).eval()
            with torch.no_grad(), attribute_errors_to(tasks[name], "head"):
                outputs = head(levels)
            with torch.no_grad(), attribute_errors_to(tasks[name], "loss"):
                tasks[name].loss(outputs, targets.values)
        if not waiting:
            return
