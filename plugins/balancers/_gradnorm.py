"""Gradient normalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Balancer, Settings

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

MIN_WEIGHT = 1e-3
"""Smallest weight; a negative weight would train a task toward a larger loss."""

MIN_LOSS = 1e-8
"""Smallest loss in ratios; smaller losses count as this."""


class GradNormSettings(Settings):
    """Options of ``gradnorm``."""

    alpha: float = Field(
        1.5,
        ge=0,
        description="strength with which slow tasks get larger gradients; 0: equal norms",
    )
    learning_rate: float = Field(
        0.025, gt=0, description="learning rate of the weights; large, because trials are short"
    )


class GradNorm(Balancer[GradNormSettings]):
    """GradNorm: gradients of similar norm, larger for tasks that learn slowly.

    Chen et al. 2018, "GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep
    Multitask Networks", Equation 2: gradient descent on the weights ``w`` minimizes
    ``sum_i |w_i n_i - mean_j(w_j n_j) r_i ** alpha|``. ``n_i`` is the norm of a task's gradient,
    and ``r_i`` is the ratio of its current to its first loss, divided by the mean ratio.

    In the paper, norms are those of the last shared layer, and there is one weight per task.
    Here, each group of each unit has its own weights. Their sum is the number of tasks. The
    weight of a task without labels in a batch does not change.

    Args:
        settings: options of the balancer.
        tasks: names of the tasks to balance, sorted.
    """

    name = "gradnorm"
    summary = "gradients of similar norm, larger for tasks whose loss decreases slowly"
    per_task_gradients = True
    Settings = GradNormSettings

    def __init__(self, settings: GradNormSettings, tasks: Sequence[str]) -> None:
        super().__init__(settings, tasks)
        self._first_losses: dict[str, Tensor] = {}
        self._loss_ratios: dict[str, Tensor] = {}
        self._weights: dict[str, Tensor] = {}
        self._optimizer: Optimizer | None = None

    def observe(self, losses: Tensor, tasks: Sequence[str]) -> None:
        """See :meth:`mtlsearch.plugin.Balancer.observe`."""
        for task, loss in zip(tasks, losses.clamp(min=MIN_LOSS).unbind(), strict=True):
            self._loss_ratios[task] = loss / self._first_losses.setdefault(task, loss)

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        """See :meth:`mtlsearch.plugin.Balancer.combine`."""
        import torch

        optimizer = self._optimizer_on(jacobian)
        weights = torch.stack([self._weights[task] for task in tasks])
        norms = jacobian.norm(dim=1)
        default = torch.ones_like(norms[0])
        ratios = torch.stack([self._loss_ratios.get(task, default) for task in tasks])
        targets = (weights * norms).mean() * (ratios / ratios.mean()) ** self.settings.alpha
        # The gradient of the sum of |weight * norm - target|, where the target is constant.
        slopes = torch.sign(weights * norms - targets) * norms
        optimizer.zero_grad(set_to_none=True)
        for task, slope in zip(tasks, slopes.unbind(), strict=True):
            self._weights[task].grad = slope
        optimizer.step()
        self._restore_sum(tasks, weights.sum())
        return weights @ jacobian

    def _restore_sum(self, tasks: Sequence[str], total: Tensor) -> None:
        """Scale the weights of some tasks to their previous sum, so that the whole sum stays."""
        updated = [self._weights[task].clamp_(min=MIN_WEIGHT) for task in tasks]
        scale = total / sum(updated)
        for weight in updated:
            weight.mul_(scale)

    def _optimizer_on(self, jacobian: Tensor) -> Optimizer:
        """Return the optimizer; the first call creates it on the device of the Jacobian."""
        from torch.optim import Adam

        if self._optimizer is None:
            self._weights = {task: jacobian.new_ones(()) for task in self.tasks}
            self._optimizer = Adam(list(self._weights.values()), lr=self.settings.learning_rate)
        return self._optimizer
