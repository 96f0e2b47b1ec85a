"""Tasks' gradients of the shared weights, and what a step on one does to the others."""

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
from mtlsearch.training import BufferSnapshot, Precision, micro_batches, run_labelled


@dataclass(frozen=True, slots=True)
class LookaheadStep:
    """How a step for one task alone is taken: plain gradient descent.

    Attributes:
        rate: the learning rate.
        clip_norm: the gradient's largest norm; None leaves it as it is.
    """

    rate: float
    clip_norm: float | None

    def length(self, norm: float) -> float:
        """What a gradient of that norm is multiplied by."""
        if self.clip_norm is None or norm <= self.clip_norm:
            return self.rate
        return self.rate * self.clip_norm / norm


class GradientProbe:
    """Compares tasks' gradients at some steps of a training; see :class:`StepProbe`.

    Only tasks that the batch has labels of are looked at, each on the images that carry its
    own. Of a batch that is computed in parts, the first one alone is.

    Args:
        network: shares all units between all tasks.
        tasks: the tasks by name.
        labels_of: the label that each task learns.
        precision: the number format; where that scales losses, float32 is taken.
        step: how lookahead steps are taken.
        every: steps from one look to the next; the first is at the end of the first so many.
        parts: in how many parts a batch is computed.
        seed: of dropout and the like while looking.
    """

    def __init__(
        self,
        network: MultiTaskNetwork,
        tasks: Mapping[str, Task],
        *,
        labels_of: Mapping[str, str],
        precision: Precision,
        step: LookaheadStep,
        every: int,
        parts: int,
        seed: int,
    ) -> None:
        self._network = network
        self._tasks = {name: tasks[name] for name in network.tasks}
        self._labels_of = labels_of
        self._precision = Precision() if precision.scales_loss else precision
        self._step = step
        self._every = every
        self._parts = parts
        self._seed = seed
        shared = [network.unit_parameters(at, network.tasks) for at in range(len(network.units))]
        self._units = [[at for at in unit.values() if at.requires_grad] for unit in shared]
        pair = (len(network.tasks), len(network.tasks))
        self.gradients = RunningMean((len(self._units), *pair))
        self.lookahead = RunningMean(pair)
        self.unit_lookahead = RunningMean((len(self._units), *pair))

    def __call__(self, done: int, batch: Batch) -> None:
        """Look, where it is time to."""
        if (done + 1) % self._every:
            return
        part = micro_batches(batch, self._parts)[0]
        with _left_alone(self._network, part.images.device), _enough_memory():
            self._look(part)

    def _look(self, batch: Batch) -> None:
        losses = self._losses(batch)
        if not losses:
            return
        before = np.array([float(loss.detach()) for loss in losses.values()])
        before[before <= 0] = np.nan  # a loss that is no positive number has no parts
        gradients = self._gradients(list(losses.values()))
        products = np.stack([_products([at[unit] for at in gradients]) for unit in self._numbers])
        lengths = [self._step.length(norm) for norm in _norms(products.sum(axis=0))]
        after = np.stack(
            [
                self._losses_after(batch, gradient, length)
                for gradient, length in zip(gradients, lengths, strict=True)
            ]
        )
        places = [self._network.tasks.index(name) for name in losses]
        self.gradients.add(np.stack([_cosines(unit) for unit in products]), places)
        self.lookahead.add(1.0 - after / before, places)
        self.unit_lookahead.add(np.array(lengths)[:, None] * products / before, places)

    @property
    def _numbers(self) -> range:
        return range(len(self._units))

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        """Each labelled task's loss; the same dropout every time."""
        torch.manual_seed(self._seed)
        found = run_labelled(self._network, self._tasks, self._labels_of, batch, self._precision)
        return {name: self._tasks[name].loss(at.outputs, at.targets) for name, at in found.items()}

    def _gradients(self, losses: Sequence[Tensor]) -> list[list[Tensor]]:
        """For each task and unit the gradient ``[p]`` of the unit's weights."""
        parameters = [parameter for unit in self._units for parameter in unit]
        sizes = [sum(parameter.numel() for parameter in unit) for unit in self._units]
        found = []
        for row, loss in enumerate(losses):
            one = torch.autograd.grad(
                loss, parameters, retain_graph=row + 1 < len(losses), allow_unused=True
            )
            flat = [
                (torch.zeros_like(at) if gradient is None else gradient).flatten().float()
                for at, gradient in zip(parameters, one, strict=True)
            ]
            found.append(list(torch.split(torch.cat(flat), sizes)))
        return found

    @torch.no_grad()
    def _losses_after(self, batch: Batch, gradient: Sequence[Tensor], length: float) -> Array:
        """Each task's loss after a step on ``gradient``, which is taken back."""
        kept = [at.clone() for unit in self._units for at in unit]
        for unit, direction in zip(self._units, gradient, strict=True):
            pieces = torch.split(direction, [at.numel() for at in unit])
            for parameter, piece in zip(unit, pieces, strict=True):
                parameter.sub_(piece.view_as(parameter), alpha=length)
        try:
            return np.array([float(loss) for loss in self._losses(batch).values()])
        finally:
            parameters = (at for unit in self._units for at in unit)
            for parameter, value in zip(parameters, kept, strict=True):
                parameter.copy_(value)


def _products(gradients: Sequence[Tensor]) -> Array:
    """``[n, n]``: inner products."""
    rows = torch.stack(list(gradients))
    return np.asarray((rows @ rows.T).double().cpu().numpy())


def _norms(products: Array) -> list[float]:
    return [float(norm) for norm in np.sqrt(np.diag(products).clip(min=0))]


def _cosines(products: Array) -> Array:
    """``[n, n]``; NaN with a task whose gradient is 0 or not finite."""
    norms = np.sqrt(np.diag(products).clip(min=0))
    norms = np.where(norms > 0, norms, np.nan)
    return np.asarray(np.clip(products / norms[:, None] / norms, -1.0, 1.0))


@contextmanager
def _left_alone(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Running statistics and random numbers are as they were afterwards."""
    kept = BufferSnapshot(network)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            kept.restore()


@contextmanager
def _enough_memory() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "the device's memory does not suffice to compare the tasks' gradients of a batch",
            where="train.accumulation_steps",
            next_step="raise train.accumulation_steps (only the first part of a batch is used), or "
            "take a smaller train.batch_size",
        ) from error
