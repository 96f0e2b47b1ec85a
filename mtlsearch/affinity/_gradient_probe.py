"""Gradient probe: compares the gradients of tasks, and the effect of steps on other tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mtlsearch.affinity._affinity import Array
from mtlsearch.affinity._running_mean import RunningMean
from mtlsearch.errors import TrainingError
from mtlsearch.models import MultiTaskNetwork
from mtlsearch.plugin import Batch, Task
from mtlsearch.training import BufferSnapshot, Precision, micro_batches, run_labeled


@dataclass(frozen=True, slots=True)
class LookaheadStep:
    """A step of plain gradient descent for one task alone.

    Attributes:
        rate: learning rate.
        clip_norm: largest norm of the gradient; None does not clip.
    """

    rate: float
    clip_norm: float | None

    def length(self, norm: float) -> float:
        """Return the factor of a gradient with a given norm."""
        if self.clip_norm is None or norm <= self.clip_norm:
            return self.rate
        return self.rate * self.clip_norm / norm


class GradientProbe:
    """Compares the gradients of tasks at some steps of a training; see :class:`StepProbe`.

    Only tasks that the batch has labels of are compared, each on the images that carry its
    label. With several micro batches per batch, only the first one is used.

    Args:
        network: network in which all tasks share all units.
        tasks: tasks by name.
        label_by_task: the label that each task learns.
        precision: number format; float32 is used if the format scales losses.
        lookahead: learning rate and clipping of lookahead steps.
        interval: number of steps between two comparisons; the first is at the end of the first
            interval.
        accumulation_steps: number of micro batches per batch.
        seed: seed of dropout and of other random layers during a comparison.
    """

    def __init__(
        self,
        network: MultiTaskNetwork,
        tasks: Mapping[str, Task],
        *,
        label_by_task: Mapping[str, str],
        precision: Precision,
        lookahead: LookaheadStep,
        interval: int,
        accumulation_steps: int,
        seed: int,
    ) -> None:
        self._network = network
        self._tasks = {name: tasks[name] for name in network.tasks}
        self._label_by_task = label_by_task
        self._precision = Precision() if precision.scales_loss else precision
        self._lookahead_step = lookahead
        self._interval = interval
        self._accumulation_steps = accumulation_steps
        self._seed = seed
        shared = [
            network.unit_parameters(unit, network.tasks) for unit in range(len(network.units))
        ]
        self._units = [
            [parameter for parameter in unit.values() if parameter.requires_grad] for unit in shared
        ]
        per_pair = (len(network.tasks), len(network.tasks))
        self.gradients = RunningMean((len(self._units), *per_pair))
        self.lookahead = RunningMean(per_pair)
        self.unit_lookahead = RunningMean((len(self._units), *per_pair))

    def __call__(self, num_steps: int, batch: Batch) -> None:
        """Compare the tasks if an interval ends with the next step."""
        if (num_steps + 1) % self._interval:
            return
        part = micro_batches(batch, self._accumulation_steps)[0]
        with _preserved_state(self._network, part.images.device), _memory_errors_translated():
            self._compare(part)

    def _compare(self, batch: Batch) -> None:
        losses = self._losses(batch)
        if not losses:
            return
        before = np.array([float(loss.detach()) for loss in losses.values()])
        before[before <= 0] = np.nan  # a relative decrease needs a positive loss
        gradients = self._gradients(list(losses.values()))
        products = np.stack(
            [
                _inner_products([task_gradients[unit] for task_gradients in gradients])
                for unit in range(len(self._units))
            ]
        )
        lengths = [self._lookahead_step.length(norm) for norm in _norms(products.sum(axis=0))]
        after = np.stack(
            [
                self._losses_after(batch, gradient, length)
                for gradient, length in zip(gradients, lengths, strict=True)
            ]
        )
        indices = [self._network.tasks.index(name) for name in losses]
        self.gradients.add(np.stack([_cosines(unit) for unit in products]), indices)
        self.lookahead.add(1.0 - after / before, indices)
        self.unit_lookahead.add(np.array(lengths)[:, None] * products / before, indices)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of each labeled task, with the same dropout in every call."""
        torch.manual_seed(self._seed)
        labeled = run_labeled(
            self._network, self._tasks, self._label_by_task, batch, self._precision
        )
        return {
            name: self._tasks[name].loss(item.outputs, item.targets)
            for name, item in labeled.items()
        }

    def _gradients(self, losses: Sequence[Tensor]) -> list[list[Tensor]]:
        """Return, per task and unit, the gradient ``[p]`` of the unit's parameters."""
        parameters = [parameter for unit in self._units for parameter in unit]
        sizes = [sum(parameter.numel() for parameter in unit) for unit in self._units]
        gradients_by_task = []
        for index, loss in enumerate(losses):
            gradients = torch.autograd.grad(
                loss, parameters, retain_graph=index + 1 < len(losses), allow_unused=True
            )
            flat = [
                (torch.zeros_like(parameter) if gradient is None else gradient).flatten().float()
                for parameter, gradient in zip(parameters, gradients, strict=True)
            ]
            gradients_by_task.append(list(torch.split(torch.cat(flat), sizes)))
        return gradients_by_task

    @torch.no_grad()
    def _losses_after(self, batch: Batch, gradient: Sequence[Tensor], length: float) -> Array:
        """Return the loss of each task after a step along ``gradient``; undo the step."""
        parameters = [parameter for unit in self._units for parameter in unit]
        copies = [parameter.clone() for parameter in parameters]
        for unit, direction in zip(self._units, gradient, strict=True):
            slices = torch.split(direction, [parameter.numel() for parameter in unit])
            for parameter, values in zip(unit, slices, strict=True):
                parameter.sub_(values.view_as(parameter), alpha=length)
        try:
            return np.array([float(loss) for loss in self._losses(batch).values()])
        finally:
            for parameter, value in zip(parameters, copies, strict=True):
                parameter.copy_(value)


def _inner_products(gradients: Sequence[Tensor]) -> Array:
    """Return the inner products ``[n, n]`` of n gradients ``[p]``."""
    rows = torch.stack(list(gradients))
    return np.asarray((rows @ rows.T).double().cpu().numpy())


def _norms(products: Array) -> list[float]:
    return [float(norm) for norm in np.sqrt(np.diag(products).clip(min=0))]


def _cosines(products: Array) -> Array:
    """Return the cosines ``[n, n]``; NaN for a gradient that is zero or not finite."""
    norms = np.sqrt(np.diag(products).clip(min=0))
    norms = np.where(norms > 0, norms, np.nan)
    return np.asarray(np.clip(products / norms[:, None] / norms, -1.0, 1.0))


@contextmanager
def _preserved_state(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Restore running statistics and random generators at the end of the context."""
    snapshot = BufferSnapshot(network)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            snapshot.restore()


@contextmanager
def _memory_errors_translated() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "the memory of the device is too small to compare the gradients of the tasks",
            where="train.accumulation_steps",
            next_step="set train.accumulation_steps to a larger value (only the first micro "
            "batch is compared), or train.batch_size to a smaller one",
        ) from error
