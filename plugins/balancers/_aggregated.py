"""What a TorchJD aggregator makes of several gradients."""

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
    """Combines the rows of a Jacobian.

    An aggregator's state goes with its rows, so there is one for every set of tasks that
    batches bring together: a batch without some task's labels leaves the others' alone.

    Gradients are scaled to length 1 together before they are combined, and the answer back:
    solvers take small numbers for none, and one unit's gradient often is small.

    Attributes:
        scaled: whether that is so; not where the method looks at lengths over time.

    Raises:
        TrainingError: a solver that the method needs is not installed.
    """

    per_task_gradients = True
    scaled: ClassVar[bool] = True

    def __init__(self, settings: SettingsT, tasks: Sequence[str]) -> None:
        super().__init__(settings, tasks)
        self._aggregators: dict[tuple[str, ...], Aggregator] = {}
        self._for(self.tasks)  # says now what is not installed

    def combine(self, jacobian: Tensor, tasks: Sequence[str]) -> Tensor:
        """The method's answer for these rows."""
        scale = jacobian.norm() if self.scaled else jacobian.new_ones(())
        try:
            with warnings.catch_warnings():
                # cvxpy calls NashMTL's problem slow to compile, at every training.
                warnings.filterwarnings("ignore", message=".*not DPP", category=UserWarning)
                found = self._for(tuple(tasks))(jacobian / scale)
        except self.failures() as error:
            raise TrainingError(
                f"{self.name} finds no common gradient of {', '.join(tasks)} "
                f"({type(error).__name__}: {error})",
                where="search.balancer",
                next_step="take a lower learning rate, or another balancer",
            ) from error
        return found * self.back(scale)

    @abstractmethod
    def aggregator(self, count: int) -> Aggregator:
        """A new aggregator of so many rows."""

    def back(self, scale: Tensor) -> Tensor:
        """By what the answer grows when all rows grow by ``scale``: by as much."""
        return scale

    def failures(self) -> tuple[type[Exception], ...]:
        """What is raised where the method finds no answer."""
        return (ValueError, RuntimeError)

    def _for(self, tasks: tuple[str, ...]) -> Aggregator:
        if tasks not in self._aggregators:
            try:
                self._aggregators[tasks] = self.aggregator(len(tasks))
            except ImportError as error:
                raise TrainingError(
                    f"balance {self.name!r} needs a solver that is not installed: {error}",
                    where="search.balancer",
                    next_step="pip install 'mtlsearch[balancing]'",
                ) from error
        return self._aggregators[tasks]
