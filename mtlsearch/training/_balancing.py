"""A balancer at work in one training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtlsearch.plugin import Balancer
from mtlsearch.training._balancer_compatibility import needs_whole_batches
from mtlsearch.training._shared_groups import SharedGroup, connected, rows_of

BalancerMaker = Callable[[Sequence[str]], Balancer[Any]]
"""From the names of the tasks to be balanced to the balancer."""

Gradients = Sequence[Tensor | None]


@dataclass(frozen=True, slots=True, eq=False)
class BalancerConfig:
    """How a training is to be balanced.

    Attributes:
        make: makes a balancer.
        parts: what the network's tasks share.
    """

    make: BalancerMaker
    parts: Sequence[SharedGroup]


class GradientBalancer:
    """Balances each unit's shared gradient among the tasks that share it.

    Losses are weighed once for every set of tasks that are connected by sharing: a weight
    goes with a loss through all the units it reaches. Gradients are combined once a unit and
    group, over the tasks of that group which the batch has labels of; what one task alone
    uses gets that task's own gradient.

    Args:
        balancer: what to do; None leaves losses and gradients alone.
        parameters: all weights that are trained.
    """

    def __init__(self, balancer: BalancerConfig | None, parameters: Sequence[nn.Parameter]) -> None:
        parts = [] if balancer is None else list(balancer.parts)
        self._parameters = parameters
        self._sets: list[Balancer[Any]] = []
        self._groups: list[tuple[SharedGroup, Balancer[Any]]] = []
        if balancer is not None:
            self._sets = [balancer.make(tasks) for tasks in connected(parts)]
            if any(balancer.per_task_gradients for balancer in self._sets):
                self._groups = [(part, balancer.make(part.tasks)) for part in parts]
        self._part_of = {
            id(parameter): number
            for number, (part, _) in enumerate(self._groups)
            for parameter in part.parameters
        }

    @property
    def per_task_gradients(self) -> bool:
        """Whether :meth:`backward` is to take the place of the loss's own."""
        return bool(self._groups)

    @property
    def measures_again(self) -> bool:
        """Whether :meth:`after_step` is to be told the losses after the step."""
        return any(balancer.measures_again for balancer in self._sets)

    @property
    def whole_batches_for(self) -> str | None:
        """The name of the balancer that needs whole batches; None where they may be parted."""
        return next((at.name for at in self._sets if needs_whole_batches(at)), None)

    def weights(self, losses: Tensor, static: Tensor, tasks: Sequence[str]) -> Tensor:
        """The weight of each loss of a batch.

        Args:
            losses: ``[n]``, those of the batch.
            static: ``[n]``, the weights of the run.
            tasks: whose they are.
        """
        weights = static
        for balancer, rows, names in self._of(tasks):
            weighted = losses.detach()[rows] * static[rows]
            found = balancer.weigh(weighted, names)
            if found is not None:
                weights = weights.index_put((torch.tensor(rows),), static[rows] * found)
        return weights

    def backward(self, losses: Sequence[Tensor], weights: Tensor, tasks: Sequence[str]) -> None:
        """Add the balanced gradient to that of every parameter.

        A backward pass a task; torch's own rather than TorchJD's ``mtl_backward``, which
        knows one border between what is shared and what is not: a plan has one a unit.

        Args:
            losses: scalars, those of the batch; their graph is freed.
            weights: ``[n]``, what they are multiplied by.
            tasks: whose they are.
        """
        shared: dict[int, dict[str, dict[int, Tensor]]] = defaultdict(dict)
        for row, (task, loss) in enumerate(zip(tasks, losses, strict=True)):
            for parameter, gradient in self._gradients(loss, weights[row], row + 1 < len(losses)):
                number = self._part_of.get(id(parameter))
                if number is None:
                    _add(parameter, gradient)
                else:
                    shared[number].setdefault(task, {})[id(parameter)] = gradient
        with torch.no_grad():
            self._observe(losses, weights, tasks)
            for number, gradients in shared.items():
                part, balancer = self._groups[number]
                _combine(part, balancer, gradients)

    def _observe(self, losses: Sequence[Tensor], weights: Tensor, tasks: Sequence[str]) -> None:
        """Tell each group's balancer the losses of its tasks."""
        weighted = torch.stack(list(losses)) * weights
        for part, balancer in self._groups:
            if rows := rows_of(part.tasks, tasks):
                balancer.observe(weighted[rows], [tasks[row] for row in rows])

    def after_step(self, losses: Tensor, static: Tensor, tasks: Sequence[str]) -> None:
        """The losses of the same batch with the new weights; see :meth:`weights`."""
        for balancer, rows, names in self._of(tasks):
            balancer.after_step(losses[rows] * static[rows], names)

    def epoch_ended(self) -> None:
        """A pass over the training split has ended."""
        for balancer in (*self._sets, *(balancer for _, balancer in self._groups)):
            balancer.epoch_ended()

    def _of(self, tasks: Sequence[str]) -> Iterator[tuple[Balancer[Any], list[int], list[str]]]:
        """Each set's balancer with those of its tasks that are here, by row and name."""
        for balancer in self._sets:
            if rows := rows_of(balancer.tasks, tasks):
                yield balancer, rows, [tasks[row] for row in rows]

    def _gradients(
        self, loss: Tensor, weight: Tensor, retain: bool
    ) -> Iterator[tuple[nn.Parameter, Tensor]]:
        found = torch.autograd.grad(
            loss, self._parameters, weight, retain_graph=retain, allow_unused=True
        )
        for parameter, gradient in zip(self._parameters, found, strict=True):
            if gradient is not None:
                yield parameter, gradient


def _combine(
    part: SharedGroup, balancer: Balancer[Any], gradients: dict[str, dict[int, Tensor]]
) -> None:
    """Give a part's parameters one gradient; those that no task reaches get none."""
    reached = [at for at in part.parameters if any(id(at) in own for own in gradients.values())]
    rows = [
        torch.cat([own.get(id(at), torch.zeros_like(at)).flatten() for at in reached])
        for own in gradients.values()
    ]
    flat = _combined(balancer, torch.stack(rows), list(gradients))
    for parameter, piece in zip(
        reached, torch.split(flat, [at.numel() for at in reached]), strict=True
    ):
        _add(parameter, piece.view_as(parameter))


def _combined(balancer: Balancer[Any], jacobian: Tensor, tasks: list[str]) -> Tensor:
    if len(tasks) == 1:
        return jacobian[0]
    norms = jacobian.norm(dim=1)
    heard = [row for row, norm in enumerate(norms.tolist()) if norm != 0]
    if len(heard) < 2 or not norms.isfinite().all():
        # Methods cannot make sense of infinity; summed, it reaches the norm and is told.
        return jacobian.sum(dim=0)
    return balancer.combine(jacobian[heard], [tasks[row] for row in heard])


def _add(parameter: nn.Parameter, gradient: Tensor) -> None:
    if parameter.grad is not None:
        parameter.grad += gradient
        return
    if gradient.stride() != parameter.stride():
        # Fused optimizers take it for granted that both lie alike in memory.
        gradient = torch.empty_like(parameter).copy_(gradient)
    parameter.grad = gradient
