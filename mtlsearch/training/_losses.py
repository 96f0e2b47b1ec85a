"""Outputs and labels of the tasks that a batch has labels of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from mtlsearch.models import MultiTaskNetwork, Rows
from mtlsearch.plugin import Batch, Outputs, TargetValues, Task, to_device
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

    A :class:`MultiTaskNetwork` runs each task on the images that carry its label. Any other
    network, such as a compiled one, runs on all images.

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
    rows = partial_rows(network, present, label_by_task, batch)
    with precision.autocast(batch.images.device):
        outputs = network(batch.images, present, rows) if rows else network(batch.images, present)
    return select_labeled({task: outputs[task] for task in present}, label_by_task, batch, rows)


def present_tasks(
    tasks: Iterable[str], label_by_task: Mapping[str, str], batch: Batch
) -> list[str]:
    """Return the tasks that the batch has labels of."""
    return [task for task in tasks if label_by_task[task] in batch.targets]


def partial_rows(
    network: nn.Module, tasks: Iterable[str], label_by_task: Mapping[str, str], batch: Batch
) -> dict[str, Rows]:
    """Return the labeled images by task, of tasks that some images lack a label of.

    It is empty if the network cannot select images.
    """
    if not isinstance(network, MultiTaskNetwork):
        return {}
    rows_by_task = {task: batch.targets[label_by_task[task]].rows for task in tasks}
    return {
        task: tuple(rows.tolist())
        for task, rows in rows_by_task.items()
        if len(rows) < len(batch.images)
    }


def select_labeled(
    outputs: Mapping[str, Outputs],
    label_by_task: Mapping[str, str],
    batch: Batch,
    selected_tasks: Collection[str] = (),
) -> dict[str, LabeledOutputs]:
    """Select the outputs of samples with the task's label.

    Args:
        outputs: outputs by task, of all samples.
        label_by_task: the label that each task learns.
        batch: the batch.
        selected_tasks: tasks whose outputs contain samples with a label only.

    Returns:
        Labeled outputs by task.
    """
    labeled = {}
    for task in present_tasks(outputs, label_by_task, batch):
        targets = batch.targets[label_by_task[task]]
        count = len(targets.rows)
        is_complete = task in selected_tasks or count == len(batch.images)
        rows = None if is_complete else to_device(targets.rows, batch.images.device)
        selected = {name: _select_rows(value, rows) for name, value in outputs[task].items()}
        labeled[task] = LabeledOutputs(selected, targets.values, count)
    return labeled


def _select_rows(value: Tensor, rows: Tensor | None) -> Tensor:
    if rows is not None:
        value = value.index_select(0, rows)
    return value.float() if value.is_floating_point() else value
