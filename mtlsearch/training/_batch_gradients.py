"""Gradients of a trained network, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch

from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plugin import Batch, Task
from mtlsearch.training._device import Precision
from mtlsearch.training._losses import run_labeled


def batch_gradients(
    network: MultiTaskNetwork,
    tasks: Mapping[str, Task],
    batches: Iterable[Batch],
    label_by_task: Mapping[str, str],
    loss_weights: Mapping[str, float],
) -> Iterator[None]:
    """Leave the gradient of the loss of each batch in the weights, in evaluation mode.

    Batches without a label are left out. Weights and statistics do not change.

    Args:
        network: a trained network, on the CPU.
        tasks: tasks by name.
        batches: images and labels.
        label_by_task: the label that each task learns.
        loss_weights: factor of the loss by task.

    Yields:
        None, once per batch; every weight that can have a gradient has one.
    """
    network.eval()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    for batch in batches:
        labeled = run_labeled(network, tasks, label_by_task, batch, Precision())
        if not labeled:
            continue
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        losses = [
            loss_weights[name] * tasks[name].loss(item.outputs, item.targets)
            for name, item in labeled.items()
        ]
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        yield
    for weight in weights:
        weight.grad = None
