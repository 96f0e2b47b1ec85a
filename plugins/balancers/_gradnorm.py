"""Gradient normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Balancer, Settings

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

SMALLEST = 1e-3
"""No weight falls below this: one below 0 would teach a task the contrary."""

TINY = 1e-8
"""Losses are not taken for smaller: they are compared by their ratio."""


class GradNormSettings(Settings):
    """Options of ``gradnorm``."""

    alpha: float = Field(
        1.5, ge=0, description="how much tasks that learn slowly are pulled; 0: equal lengths"
    )
    learning_rate: float = Field(
        0.025, gt=0, description="of the weights; they are few, and searches are short"
    )


class GradNorm(Balancer[GradNormSettings]):
    """GradNorm (Chen et al. 2018): gradients of like length, longer for tasks that lag behind.

    A weight a task is moved, step by step, so that the length of its weighted gradient comes
    to the mean length times ``r ** alpha``, ``r`` being how much of its first loss is left, as
    against the other tasks. The paper takes lengths in the last shared layer and has one
    weight a task; here each group of each unit has its own. Weights sum to the number of
    tasks; those of a task that is not there stay.
    """

    name = "gradnorm"
    summary = "gradients of like length, longer for tasks whose loss falls slowly"
    per_task_gradients = True
    Settings = GradNormSettings

    def __init__(self, settings: GradNormSettings, tasks: Sequence[str]) -> None:
        super().__init__(settings, tasks)
        self._first: dict[str, Tensor] = {}
        self._left: dict[str, Tensor] = {}
        self._weights: dict[str, Tensor] = {}
        self._optimizer: Optimizer | None = None

    def observe(self, losses: Tensor, tasks: Sequence[str]) -> None:
        """How much is left of each task's first loss."""
        for task, loss in zip(tasks, losses.clamp(min=TINY).unbind(), strict=True):
            self._left[task] = loss / self._first.setdefault(task, loss)

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        """The weighted sum; the weights then take a step."""
        import torch

        optimizer = self._ready(jacobian)
        weights = torch.stack([self._weights[task] for task in tasks])
        lengths = jacobian.norm(dim=1)
        one = torch.ones_like(lengths[0])
        left = torch.stack([self._left.get(task, one) for task in tasks])
        wanted = (weights * lengths).mean() * (left / left.mean()) ** self.settings.alpha
        # The gradient of the sum of |weight * length - wanted|, in which wanted is a number.
        slopes = torch.sign(weights * lengths - wanted) * lengths
        optimizer.zero_grad(set_to_none=True)
        for task, slope in zip(tasks, slopes.unbind(), strict=True):
            self._weights[task].grad = slope
        optimizer.step()
        self._keep_sum(tasks, weights.sum())
        return weights @ jacobian

    def _keep_sum(self, tasks: Sequence[str], total: Tensor) -> None:
        """What those who are there have together stays, so that all of them keep theirs."""
        moved = [self._weights[task].clamp_(min=SMALLEST) for task in tasks]
        scale = total / sum(moved)
        for weight in moved:
            weight.mul_(scale)

    def _ready(self, jacobian: Tensor) -> Optimizer:
        """The optimizer; made when the device is known."""
        from torch.optim import Adam

        if self._optimizer is None:
            self._weights = {task: jacobian.new_ones(()) for task in self.tasks}
            self._optimizer = Adam(list(self._weights.values()), lr=self.settings.learning_rate)
        return self._optimizer
