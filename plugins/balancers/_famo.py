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

MIN_LOSS = 1e-6
"""Smallest loss in logarithms; smaller losses count as this."""


class FAMOSettings(Settings):
    """Options of ``famo``."""

    learning_rate: float = Field(
        0.025, gt=0, description="learning rate of the logits of the weights"
    )
    weight_decay: float = Field(0.001, ge=0, description="larger values give more equal weights")


class FAMO(Balancer[FAMOSettings]):
    """FAMO: all losses decrease at the same relative rate.

    Liu et al. 2023, "FAMO: Fast Adaptive Multitask Optimization": with learned logits ``v`` and
    ``z = softmax(v)``, the objective is ``c sum_i z_i log(L_i)`` with
    ``c = 1 / sum_i (z_i / L_i)``. The logits follow the change of ``log(L_i)`` in a step, which
    takes a second forward pass.

    The weights of the tasks that have labels in a batch sum to 1. The logit of another task
    does not change.

    Args:
        settings: options of the balancer.
        tasks: names of the tasks to balance, sorted.
    """

    name = "famo"
    summary = "all losses decrease at the same relative rate; one more forward pass per step"
    remeasures_losses = True
    Settings = FAMOSettings

    def __init__(self, settings: FAMOSettings, tasks: Sequence[str]) -> None:
        super().__init__(settings, tasks)
        self._scalarizer: scalarization.FAMO | None = None
        self._before: Tensor | None = None

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """See :meth:`mtlsearch.plugin.Balancer.weigh`."""
        rows = self._rows(tasks)
        all_losses = losses.new_ones(len(self.tasks))
        all_losses[rows] = losses.clamp(min=MIN_LOSS)
        self._before = all_losses
        weights = weights_of(self._scalarizer_on(losses), all_losses)[rows]
        return weights / weights.sum()

    def after_step(self, losses: Tensor, tasks: Sequence[str]) -> None:
        """See :meth:`mtlsearch.plugin.Balancer.after_step`."""
        import torch

        assert self._before is not None, "`weigh` is called before"
        scalarizer, rows = self._scalarizer_on(losses), self._rows(tasks)
        (logits,) = scalarizer.parameters()
        shares = torch.softmax(logits.detach(), 0)[rows]
        after = losses.clamp(min=MIN_LOSS)
        change = torch.log(after / self._before[rows])
        # A task without labels gets the mean change, which has no effect on its logit.
        all_losses = self._before * torch.exp((shares * change).sum() / shares.sum())
        all_losses[rows] = after
        scalarizer.update(all_losses)

    def _rows(self, tasks: Sequence[str]) -> list[int]:
        return [self.tasks.index(task) for task in tasks]

    def _scalarizer_on(self, losses: Tensor) -> scalarization.FAMO:
        """Return TorchJD's scalarizer; the first call creates it on the device of the losses."""
        if self._scalarizer is None:
            from torchjd import scalarization

            self._scalarizer = scalarization.FAMO(
                len(self.tasks),
                lr=self.settings.learning_rate,
                weight_decay=self.settings.weight_decay,
            ).to(losses.device)
        return self._scalarizer
