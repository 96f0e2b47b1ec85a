"""Fast adaptive multitask optimization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Balancer, Settings

from ._scalarized import weights_of

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd import scalarization

SMALLEST = 1e-6
"""Losses are not taken for smaller: they are compared by their logarithms."""


class FAMOSettings(Settings):
    """Options of ``famo``."""

    learning_rate: float = Field(0.025, gt=0, description="of the weights' logits")
    weight_decay: float = Field(0.001, ge=0, description="draws the weights towards equal ones")


class FAMO(Balancer[FAMOSettings]):
    """FAMO (Liu et al. 2023): lets all losses fall at the same relative rate.

    It compares each loss before and after a step, which takes a second forward pass over
    the batch. Weights sum to 1 over the tasks that a batch has labels of; the logit of a
    task that is not there is not pushed.
    """

    name = "famo"
    summary = "lets all losses fall at the same relative rate, by measuring them again"
    measures_again = True
    Settings = FAMOSettings

    def __init__(self, settings: FAMOSettings, tasks: Sequence[str]) -> None:
        super().__init__(settings, tasks)
        self._adaptive: scalarization.FAMO | None = None
        self._before: Tensor | None = None

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """What each loss counts for, summing to 1."""
        rows = self._rows(tasks)
        full = losses.new_ones(len(self.tasks))
        full[rows] = losses.clamp(min=SMALLEST)
        self._before = full
        weights = weights_of(self._ready(losses), full)[rows]
        return weights / weights.sum()

    def after_step(self, losses: Tensor, tasks: Sequence[str]) -> None:
        """Move the logits by how each loss changed."""
        import torch

        assert self._before is not None, "weigh comes first"
        adaptive, rows = self._ready(losses), self._rows(tasks)
        (logits,) = adaptive.parameters()
        shares = torch.softmax(logits.detach(), 0)[rows]
        after = losses.clamp(min=SMALLEST)
        change = torch.log(after / self._before[rows])
        # A task that is not there changes as the others do on average: that moves no logit.
        full = self._before * torch.exp((shares * change).sum() / shares.sum())
        full[rows] = after
        adaptive.update(full)

    def _rows(self, tasks: Sequence[str]) -> list[int]:
        return [self.tasks.index(task) for task in tasks]

    def _ready(self, losses: Tensor) -> scalarization.FAMO:
        """TorchJD's part; made when the device is known."""
        if self._adaptive is None:
            from torchjd import scalarization

            self._adaptive = scalarization.FAMO(
                len(self.tasks),
                lr=self.settings.learning_rate,
                weight_decay=self.settings.weight_decay,
            ).to(losses.device)
        return self._adaptive
