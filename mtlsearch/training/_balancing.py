"""Gradient balancing of one training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtlsearch.plugin import Balancer
from mtlsearch.training._balancer_compatibility import needs_full_batch
from mtlsearch.training._shared_groups import SharedGroup, connected_tasks, rows_of

BalancerMaker = Callable[[Sequence[str]], Balancer[Any]]
"""Factory that makes a balancer for the tasks of the given names."""


@dataclass(frozen=True, slots=True, eq=False)
class BalancerConfig:
    """Balancer of a training and the parameters that it applies to.

    Attributes:
        make: factory of the balancer.
        groups: shared groups of the network.
    """

    make: BalancerMaker
    groups: Sequence[SharedGroup]


class GradientBalancer:
    """Balances the losses and the gradients of tasks that share parameters.

    Losses are weighted once per set of tasks that are connected by sharing, so that a task has
    the same weight in all units. Gradients are combined once per shared group, over those of
    its tasks that the batch has labels of. Parameters of a single task get that task's own
    gradient.

    Args:
        config: the balancer and the shared groups.
        parameters: all trained parameters.
    """

    def __init__(self, config: BalancerConfig, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._loss_balancers = [config.make(tasks) for tasks in connected_tasks(config.groups)]
        self._gradient_balancers: list[tuple[SharedGroup, Balancer[Any]]] = []
        if any(balancer.per_task_gradients for balancer in self._loss_balancers):
            self._gradient_balancers = [
                (group, config.make(group.tasks)) for group in config.groups
            ]
        self._group_index_by_parameter = {
            id(parameter): index
            for index, (group, _) in enumerate(self._gradient_balancers)
            for parameter in group.parameters
        }

    @property
    def per_task_gradients(self) -> bool:
        """Whether :meth:`backward` replaces the backward pass of the summed loss."""
        return bool(self._gradient_balancers)

    @property
    def remeasures_losses(self) -> bool:
        """Whether :meth:`after_step` needs the losses after the step."""
        return any(balancer.remeasures_losses for balancer in self._loss_balancers)

    @property
    def full_batch_balancer(self) -> str | None:
        """Name of the balancer that needs whole batches; None if batches can be split."""
        names = (balancer.name for balancer in self._loss_balancers if needs_full_batch(balancer))
        return next(names, None)

    def weights(self, losses: Tensor, static: Tensor, tasks: Sequence[str]) -> Tensor:
        """Return the weight of each loss of a batch.

        Args:
            losses: losses of the batch, ``[n]``.
            static: loss weights of the run, ``[n]``.
            tasks: task names of the losses.

        Returns:
            Weights, ``[n]``, the static ones included.
        """
        weights = static
        for balancer, rows, names in self._present(tasks):
            weighted = losses.detach()[rows] * static[rows]
            factors = balancer.weigh(weighted, names)
            if factors is not None:
                weights = weights.index_put((torch.tensor(rows),), static[rows] * factors)
        return weights

    def backward(self, losses: Sequence[Tensor], weights: Tensor, tasks: Sequence[str]) -> None:
        """Add the balanced gradient to the gradient of every parameter.

        It takes one backward pass per task. TorchJD's ``mtl_backward`` supports only one border
        between shared and task-specific parameters; a sharing plan has one per unit.

        Args:
            losses: scalar losses of the batch; their graph is freed.
            weights: factors of the losses, ``[n]``.
            tasks: task names of the losses.
        """
        gradients_by_group: dict[int, dict[str, dict[int, Tensor]]] = defaultdict(dict)
        for row, (task, loss) in enumerate(zip(tasks, losses, strict=True)):
            for parameter, gradient in self._gradients(loss, weights[row], row + 1 < len(losses)):
                index = self._group_index_by_parameter.get(id(parameter))
                if index is None:
                    _add_gradient(parameter, gradient)
                else:
                    gradients_by_group[index].setdefault(task, {})[id(parameter)] = gradient
        with torch.no_grad():
            self._observe(losses, weights, tasks)
            for index, gradients in gradients_by_group.items():
                group, balancer = self._gradient_balancers[index]
                _add_combined_gradient(group, balancer, gradients)

    def _observe(self, losses: Sequence[Tensor], weights: Tensor, tasks: Sequence[str]) -> None:
        """Pass the losses of its tasks to the balancer of each group."""
        weighted = torch.stack(list(losses)) * weights
        for group, balancer in self._gradient_balancers:
            if rows := rows_of(group.tasks, tasks):
                balancer.observe(weighted[rows], [tasks[row] for row in rows])

    def after_step(self, losses: Tensor, static: Tensor, tasks: Sequence[str]) -> None:
        """Pass the losses of the same batch after the step to the balancers.

        Args:
            losses: losses with the new parameters, ``[n]``.
            static: loss weights of the run, ``[n]``.
            tasks: task names of the losses.
        """
        for balancer, rows, names in self._present(tasks):
            balancer.after_step(losses[rows] * static[rows], names)

    def epoch_ended(self) -> None:
        """Notify all balancers that an epoch has ended."""
        group_balancers = (balancer for _, balancer in self._gradient_balancers)
        for balancer in (*self._loss_balancers, *group_balancers):
            balancer.epoch_ended()

    def _present(
        self, tasks: Sequence[str]
    ) -> Iterator[tuple[Balancer[Any], list[int], list[str]]]:
        """Yield each loss balancer with the rows and names of its tasks in the batch."""
        for balancer in self._loss_balancers:
            if rows := rows_of(balancer.tasks, tasks):
                yield balancer, rows, [tasks[row] for row in rows]

    def _gradients(
        self, loss: Tensor, weight: Tensor, retain: bool
    ) -> Iterator[tuple[nn.Parameter, Tensor]]:
        gradients = torch.autograd.grad(
            loss, self._parameters, weight, retain_graph=retain, allow_unused=True
        )
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            if gradient is not None:
                yield parameter, gradient


def _add_combined_gradient(
    group: SharedGroup, balancer: Balancer[Any], gradients: dict[str, dict[int, Tensor]]
) -> None:
    """Add the combined gradient of a group to its parameters, except to unused ones.

    Args:
        group: the shared group.
        balancer: balancer of the group.
        gradients: gradients by task and ``id`` of the parameter.
    """
    used = [
        parameter
        for parameter in group.parameters
        if any(id(parameter) in by_parameter for by_parameter in gradients.values())
    ]
    rows = [
        torch.cat(
            [
                by_parameter.get(id(parameter), torch.zeros_like(parameter)).flatten()
                for parameter in used
            ]
        )
        for by_parameter in gradients.values()
    ]
    flat = _combine(balancer, torch.stack(rows), list(gradients))
    slices = torch.split(flat, [parameter.numel() for parameter in used])
    for parameter, gradient in zip(used, slices, strict=True):
        _add_gradient(parameter, gradient.view_as(parameter))


def _combine(balancer: Balancer[Any], jacobian: Tensor, tasks: list[str]) -> Tensor:
    """Return the combined gradient ``[p]`` of a Jacobian ``[n, p]`` with one row per task."""
    if len(tasks) == 1:
        return jacobian[0]
    norms = jacobian.norm(dim=1)
    nonzero = [row for row, norm in enumerate(norms.tolist()) if norm != 0]
    if len(nonzero) < 2 or not norms.isfinite().all():
        # Balancers cannot handle infinity; in the sum it reaches the norm, which is checked.
        return jacobian.sum(dim=0)
    return balancer.combine(jacobian[nonzero], [tasks[row] for row in nonzero])


def _add_gradient(parameter: nn.Parameter, gradient: Tensor) -> None:
    if parameter.grad is not None:
        parameter.grad += gradient
        return
    if gradient.stride() != parameter.stride():
        # Fused optimizers assume that gradient and parameter have the same memory order.
        gradient = torch.empty_like(parameter).copy_(gradient)
    parameter.grad = gradient
