"""The tasks of a batch: whose labels it has, and what they are measured on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from mtlsearch.plugin import Batch, Outputs, TargetValues, Task
from mtlsearch.training._precision import Precision


@dataclass(frozen=True, slots=True, eq=False)
class LabeledOutputs:
    """One task's outputs and labels for those samples of a batch that carry its label.

    Attributes:
        outputs: float32, the first dimension of each ``n``.
        targets: their labels.
        count: ``n``.
    """

    outputs: Outputs
    targets: TargetValues
    count: int


def run_labelled(
    network: nn.Module,
    tasks: Mapping[str, Task],
    labels_of: Mapping[str, str],
    batch: Batch,
    precision: Precision,
) -> dict[str, LabeledOutputs]:
    """Run the network for the tasks that the batch has labels of; none of the others.

    Heads may compute in a short format; losses and metrics are always given float32.
    """
    present = present_tasks(tasks, labels_of, batch)
    if not present:
        return {}
    with precision.autocast(batch.images.device):
        outputs = network(batch.images, present)
    return labelled({task: outputs[task] for task in present}, labels_of, batch)


def present_tasks(tasks: Iterable[str], labels_of: Mapping[str, str], batch: Batch) -> list[str]:
    """The tasks that the batch has labels of."""
    return [task for task in tasks if labels_of[task] in batch.targets]


def labelled(
    outputs: Mapping[str, Outputs], labels_of: Mapping[str, str], batch: Batch
) -> dict[str, LabeledOutputs]:
    """Of the outputs for all samples those of samples with the task's label."""
    found = {}
    for task in present_tasks(outputs, labels_of, batch):
        targets = batch.targets[labels_of[task]]
        count = len(targets.rows)
        rows = None if count == len(batch.images) else targets.rows
        chosen = {name: _chosen(value, rows) for name, value in outputs[task].items()}
        found[task] = LabeledOutputs(chosen, targets.values, count)
    return found


def _chosen(value: Tensor, rows: Tensor | None) -> Tensor:
    if rows is not None:
        value = value.index_select(0, rows)
    return value.float() if value.is_floating_point() else value
