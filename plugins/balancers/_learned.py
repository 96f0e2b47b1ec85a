"""Weights that are learned beside the network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from mtlsearch.plugin import Balancer, Settings

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer
    from torchjd.scalarization import Scalarizer


class LearnedSettings(Settings):
    """Options of balancers that learn a number a task."""

    learning_rate: float = Field(
        0.025, gt=0, description="of the numbers; they are few, and searches are short"
    )


class Learned(Balancer[LearnedSettings]):
    """Learns a number a task by gradient descent, next to the network.

    The papers give the numbers to the network's optimizer. Here they have an Adam of their
    own: at a network's rate they would hardly move within a short trial, and neither weight
    decay nor clipping is meant for them. A task's number moves when the task is there.
    """

    Settings = LearnedSettings

    def __init__(self, settings: LearnedSettings, tasks: Sequence[str]) -> None:
        super().__init__(settings, tasks)
        self._one_of: dict[str, Scalarizer] = {}
        self._optimizer: Optimizer | None = None

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """The weights as they are; the numbers then take a step."""
        import torch

        optimizer = self._ready(losses)
        optimizer.zero_grad(set_to_none=True)
        with torch.enable_grad():
            leaf = losses.detach().clone().requires_grad_()
            each = zip(tasks, torch.split(leaf, 1), strict=True)
            torch.stack([self._one_of[task](loss) for task, loss in each]).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        assert leaf.grad is not None  # it was just computed
        return leaf.grad

    def _ready(self, losses: Tensor) -> Optimizer:
        """The optimizer; made when the device is known."""
        from torch.optim import Adam

        if self._optimizer is None:
            self._one_of = {task: self.scalarizer().to(losses.device) for task in self.tasks}
            numbers = [at for one in self._one_of.values() for at in one.parameters()]
            self._optimizer = Adam(numbers, lr=self.settings.learning_rate)
        return self._optimizer

    @abstractmethod
    def scalarizer(self) -> Scalarizer:
        """The formula of one task, its number in it."""


class UW(Learned):
    """Uncertainty weighting (Kendall et al. 2018): learns each task's noise."""

    name = "uw"
    summary = "learns each task's noise and weighs its loss by that"

    def scalarizer(self) -> Scalarizer:
        """Half of the loss over the variance, and of its logarithm."""
        from torchjd import scalarization

        return scalarization.UW(1)


class IMTLL(Learned):
    """Impartial learning's loss balance (Liu et al. 2021): learns each loss's scale."""

    name = "imtl_l"
    summary = "learns each loss's scale, so that all losses become alike"

    def scalarizer(self) -> Scalarizer:
        """The scaled loss less the scale's logarithm."""
        from torchjd import scalarization

        return scalarization.IMTLL(1)
