"""Balancers that learn one parameter per task."""

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
    """Options of balancers that learn one parameter per task."""

    learning_rate: float = Field(
        0.025,
        gt=0,
        description="learning rate of the parameters; large, because trials are short",
    )


class Learned(Balancer[LearnedSettings]):
    """Balancer that learns one parameter per task by gradient descent.

    In the papers, the optimizer of the network trains these parameters. Here they have their
    own Adam, because with the learning rate of the network they would hardly change in a short
    trial. Weight decay and gradient clipping do not apply to them. The parameter of a task
    without labels in a batch does not change.
    """

    Settings = LearnedSettings

    def __init__(self, settings: LearnedSettings, tasks: Sequence[str]) -> None:
        super().__init__(settings, tasks)
        self._scalarizers: dict[str, Scalarizer] = {}
        self._optimizer: Optimizer | None = None

    def weigh(self, losses: Tensor, tasks: Sequence[str]) -> Tensor:
        """See :meth:`mtlsearch.plugin.Balancer.weigh`."""
        import torch

        optimizer = self._optimizer_on(losses)
        optimizer.zero_grad(set_to_none=True)
        with torch.enable_grad():
            leaf = losses.detach().clone().requires_grad_()
            pairs = zip(tasks, torch.split(leaf, 1), strict=True)
            torch.stack([self._scalarizers[task](loss) for task, loss in pairs]).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        assert leaf.grad is not None  # it was just computed
        return leaf.grad

    def _optimizer_on(self, losses: Tensor) -> Optimizer:
        """Return the optimizer; the first call creates it on the device of the losses."""
        from torch.optim import Adam

        if self._optimizer is None:
            self._scalarizers = {task: self.scalarizer().to(losses.device) for task in self.tasks}
            parameters = [
                parameter
                for scalarizer in self._scalarizers.values()
                for parameter in scalarizer.parameters()
            ]
            self._optimizer = Adam(parameters, lr=self.settings.learning_rate)
        return self._optimizer

    @abstractmethod
    def scalarizer(self) -> Scalarizer:
        """Return the formula of one task.

        Returns:
            A scalarizer of one loss, with one parameter.
        """


class UW(Learned):
    """Uncertainty weighting (UW): learned log-variance ``s_i`` per task.

    Kendall et al. 2018, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene
    Geometry and Semantics": ``sum_i (exp(-s_i) L_i + s_i) / 2``.
    """

    name = "uw"
    summary = "weighs each loss by a learned variance"

    def scalarizer(self) -> Scalarizer:
        from torchjd import scalarization

        return scalarization.UW(1)


class IMTLL(Learned):
    """IMTL-L: learned log-scale ``s_i`` per task, so that all scaled losses become equal.

    Liu et al. 2021, "Towards Impartial Multi-task Learning": ``sum_i (exp(s_i) L_i - s_i)``.
    """

    name = "imtl_l"
    summary = "learns a scale per loss, so that all scaled losses become equal"

    def scalarizer(self) -> Scalarizer:
        from torchjd import scalarization

        return scalarization.IMTLL(1)
