"""Base of balancers that combine gradients by a TorchJD aggregator."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from mtlsearch.plugin import Balancer, TrainingError

from ._settings import SettingsT

if TYPE_CHECKING:
    from torch import Tensor
    from torchjd.aggregation import Aggregator


class Aggregated(Balancer[SettingsT]):
    """Balancer that combines the rows of a Jacobian by a TorchJD aggregator.

    The state of an aggregator belongs to its rows. So each set of tasks that occurs in a batch
    has its own aggregator, and a batch without a task's labels does not affect the others.

    The Jacobian is scaled to norm 1 before, and the result is scaled back, because solvers
    treat small numbers as zero, and the gradient of a unit is often small.

    Attributes:
        scaled: whether the Jacobian is scaled; false if the method depends on gradient norms
            over time.

    Raises:
        TrainingError: a solver that the method needs is not installed.
    """

    per_task_gradients = True
    scaled: ClassVar[bool] = True

    def __init__(self, settings: SettingsT, tasks: Sequence[str]) -> None:
        super().__init__(settings, tasks)
        self._aggregators: dict[tuple[str, ...], Aggregator] = {}
        self._aggregator_for(self.tasks)  # raises before training if a solver is missing

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        """See :meth:`mtlsearch.plugin.Balancer.combine`."""
        scale = jacobian.norm() if self.scaled else jacobian.new_ones(())
        try:
            with warnings.catch_warnings():
                # cvxpy warns in every training that the problem of NashMTL compiles slowly.
                warnings.filterwarnings("ignore", message=".*not DPP", category=UserWarning)
                gradient = self._aggregator_for(tuple(tasks))(jacobian / scale)
        except self.failures() as error:
            raise TrainingError(
                f"balancer {self.name!r} cannot combine the gradients of {', '.join(tasks)} "
                f"({type(error).__name__}: {error})",
                where="search.balancer",
                next_step="set train.learning_rate to a smaller value, or choose another balancer",
            ) from error
        return gradient * self.rescaling(scale)

    @abstractmethod
    def aggregator(self, count: int) -> Aggregator:
        """Return a new TorchJD aggregator.

        Args:
            count: number of rows of the Jacobian, one per task.

        Returns:
            The aggregator, without state.
        """

    def rescaling(self, scale: Tensor) -> Tensor:
        """Return the factor of the result if all gradients grow by a factor.

        Args:
            scale: factor of the gradients, scalar.

        Returns:
            Factor of the result; ``scale`` unless a method depends on it differently.
        """
        return scale

    def failures(self) -> tuple[type[Exception], ...]:
        """Return the exceptions that the aggregator raises if it finds no solution.

        Returns:
            Exception classes.
        """
        return (ValueError, RuntimeError)

    def _aggregator_for(self, tasks: tuple[str, ...]) -> Aggregator:
        if tasks not in self._aggregators:
            try:
                self._aggregators[tasks] = self.aggregator(len(tasks))
            except ImportError as error:
                raise TrainingError(
                    f"balancer {self.name!r} needs a solver that is not installed: {error}",
                    where="search.balancer",
                    next_step="run `pip install 'mtlsearch[balancing]'`",
                ) from error
        return self._aggregators[tasks]
