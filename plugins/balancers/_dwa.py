"""Dynamic weight average."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Balancer, Settings

from ._scalarized import weights_of

if TYPE_CHECKING:
    from torch import Tensor


MIN_LOSS = 1e-8
"""Smallest loss in ratios; smaller losses count as this."""


class DWASettings(Settings):
    """Options of ``dwa``."""

    temperature: float = Field(2.0, gt=0, description="larger values give more equal weights")


class DWA(Balancer[DWASettings]):
    """Dynamic weight average (DWA): larger weights for losses that decrease slowly.

    Liu et al. 2019, "End-to-End Multi-Task Learning with Attention": in epoch ``t``, ``K`` tasks
    have the weights ``K softmax(r / temperature)``, where ``r = L(t-1) / L(t-2)`` is the ratio
    of a task's mean losses in the previous two epochs. In the first two epochs, all weights
    are 1. The mean is over the batches that have labels of the task.

    Args:
        settings: options of the balancer.
        tasks: names of the tasks to balance, sorted.
    """

    name = "dwa"
    summary = "larger weights for tasks whose loss decreased less over the last epochs"
    Settings = DWASettings

    def __init__(self, settings: DWASettings, tasks: Sequence[str]) -> None:
        from torchjd import scalarization

        super().__init__(settings, tasks)
        self._average = scalarization.DWA(settings.temperature)
        self._weights: dict[str, Tensor] = {}
        self._sums: dict[str, Tensor] = {}
        self._counts = dict.fromkeys(tasks, 0)
        self._means: dict[str, Tensor] = {}

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """See :meth:`mtlsearch.plugin.Balancer.weigh`."""
        import torch

        for task, loss in zip(tasks, losses.detach().unbind(), strict=True):
            self._sums[task] = self._sums[task] + loss if self._counts[task] else loss
            self._counts[task] += 1
        default = torch.ones_like(losses[0])
        return torch.stack([self._weights.get(task, default) for task in tasks])

    def epoch_ended(self) -> None:
        """See :meth:`mtlsearch.plugin.Balancer.epoch_ended`."""
        import torch

        for task, count in self._counts.items():
            if count:
                self._means[task] = self._sums[task] / count
        self._counts = dict.fromkeys(self.tasks, 0)
        if len(self._means) < len(self.tasks):
            return  # without a mean loss per task, there is no ratio
        means = torch.stack([self._means[task] for task in self.tasks]).clamp(min=MIN_LOSS)
        self._average(means)
        self._average.step()
        # A copy, because the scalarizer counts each call as a loss of the epoch.
        weights = weights_of(copy.deepcopy(self._average), means)
        self._weights = dict(zip(self.tasks, weights.unbind(), strict=True))
