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


SMALLEST = 1e-8
"""Losses are not taken for smaller: they are compared by their ratio."""


class DWASettings(Settings):
    """Options of ``dwa``."""

    temperature: float = Field(2.0, gt=0, description="higher: weights more alike")


class DWA(Balancer[DWASettings]):
    """Dynamic weight average (Liu et al. 2019): slow losses weigh more.

    Weights change once an epoch, by how each task's mean loss fell over the two before; in
    the first two they are equal. A task's mean is over the batches that it is in.
    """

    name = "dwa"
    summary = "tasks whose loss fell less over the last epochs weigh more"
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
        """This epoch's weights."""
        import torch

        for task, loss in zip(tasks, losses.detach().unbind(), strict=True):
            self._sums[task] = self._sums[task] + loss if self._counts[task] else loss
            self._counts[task] += 1
        one = torch.ones_like(losses[0])
        return torch.stack([self._weights.get(task, one) for task in tasks])

    def epoch_ended(self) -> None:
        """Take in the epoch's means and find the next one's weights."""
        import torch

        for task, count in self._counts.items():
            if count:
                self._means[task] = self._sums[task] / count
        self._counts = dict.fromkeys(self.tasks, 0)
        if len(self._means) < len(self.tasks):
            return  # a task was in no batch yet: nothing to compare
        means = torch.stack([self._means[task] for task in self.tasks]).clamp(min=SMALLEST)
        self._average(means)
        self._average.step()
        # A copy, since what is asked of it counts as a loss of the epoch.
        found = weights_of(copy.deepcopy(self._average), means)
        self._weights = dict(zip(self.tasks, found.unbind(), strict=True))
