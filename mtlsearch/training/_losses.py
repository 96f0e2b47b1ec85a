"""Outputs and labels of the tasks that a batch has labels of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from mtlsearch.plugin import Batch, Outputs, TargetValues, Task
from mtlsearch.training._device import Precision


@dataclass(frozen=True, slots=True, eq=False)
class LabeledOutputs:
    """Outputs and labels of one task, for the n samples of a batch that carry its label.

    Attributes:
        outputs: tensors ``[n, ...]`` by name, float32.
        targets: labels of these samples.
        count: n.
    """

    outputs: Outputs
    targets: TargetValues
    count: int


def run_labeled(
    network: nn.Module,
    tasks: Mapping[str, Task],
    label_by_task: Mapping[str, str],
    batch: Batch,
    precision: Precision,
) -> dict[str, LabeledOutputs]:
    """Run the network for the tasks that the batch has labels of.

    Args:
        network: ``network(images, tasks) -> {task: outputs}``.
        tasks: tasks by name.
        label_by_task: the label that each task learns.
        batch: the batch, on the device of the network.
        precision: number format of the forward pass.

    Returns:
        Labeled outputs by task, in the order of ``tasks``; empty if the batch has no label.
    """
    present = present_tasks(tasks, label_by_task, batch)
    if not present:
        return {}
    with precision.autocast(batch.images.device):
        outputs = network(batch.images, present)
    return select_labeled({task: outputs[task] for task in present}, label_by_task, batch)


def present_tasks(
    tasks: Iterable[str], label_by_task: Mapping[str, str], batch: Batch
) -> list[str]:
    """Return the tasks that the batch has labels of."""
    return [task for task in tasks if label_by_task[task] in batch.targets]


def select_labeled(
    outputs: Mapping[str, Outputs], label_by_task: Mapping[str, str], batch: Batch
) -> dict[str, LabeledOutputs]:
    """Select, from the outputs of all samples, those of samples with the task's label."""
    labeled = {}
    for task in present_tasks(outputs, label_by_task, batch):
        targets = batch.targets[label_by_task[task]]
        count = len(targets.rows)
        rows = None if count == len(batch.images) else targets.rows
        selected = {name: _select_rows(value, rows) for name, value in outputs[task].items()}
        labeled[task] = LabeledOutputs(selected, targets.values, count)
    return labeled


def _select_rows(value: Tensor, rows: Tensor | None) -> Tensor:
    if rows is not None:
        value = value.index_select(0, rows)
    return value.float() if value.is_floating_point() else value
