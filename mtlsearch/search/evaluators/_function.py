"""Evaluator that measures a candidate by a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtlsearch.plan import Cost, UnitSpec, plan_cost
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.results import TaskResult
from mtlsearch.search._evaluator import Measurement
from mtlsearch.search._progress import SearchProgress

SCORE = Metric("score", higher_is_better=True, primary=True, low=float("-inf"), high=float("inf"))


class FunctionEvaluator:
    """Evaluator that calls a function, such as a simulation or other training code.

    Args:
        score: returns a score per task, higher is better. Δm does not count a task for which that
            of the ``independent`` plan is 0.
        tasks: task names.
        units: units of the backbone, or their number; units given by number have equal costs.
        seconds: duration that each measurement reports.
    """

    def __init__(
        self,
        score: Callable[[Candidate], Mapping[str, float]],
        tasks: Sequence[str],
        units: int | Sequence[UnitSpec],
        *,
        seconds: float = 0.0,
    ) -> None:
        self._curve: Callable[[Candidate, int], Mapping[str, float]] = lambda candidate, _: score(
            candidate
        )
        self._epochs, self._seconds = 1, seconds
        self._tasks = tuple(sorted(tasks))
        self._units = equal_units(units) if isinstance(units, int) else tuple(units)

    @classmethod
    def from_curve(
        cls,
        curve: Callable[[Candidate, int], Mapping[str, float]],
        tasks: Sequence[str],
        units: int | Sequence[UnitSpec],
        *,
        epochs: int,
        seconds: float = 0.0,
    ) -> FunctionEvaluator:
        """Create an evaluator from a function of candidate and epoch, for early stopping.

        Args:
            curve: returns a score per task after an epoch, from 1; higher is better.
            tasks: task names.
            units: units of the backbone, or their number.
            epochs: epochs of a full training.
            seconds: duration that each epoch reports.

        Returns:
            The evaluator.
        """
        evaluator = cls(lambda candidate: curve(candidate, epochs), tasks, units, seconds=seconds)
        evaluator._curve, evaluator._epochs = curve, epochs
        return evaluator

    @property
    def epochs(self) -> int:
        """Epochs of a full training; 1 if the score does not depend on the epoch."""
        return self._epochs

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names, sorted."""
        return self._tasks

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """Return the units, which are the same for every backbone.

        Args:
            backbone: ignored.

        Returns:
            Units in depth order.
        """
        return self._units

    def cost(self, candidate: Candidate) -> Cost:
        """Compute parameters and FLOPs of all copies of units.

        Args:
            candidate: what is measured.

        Returns:
            The cost without heads.
        """
        return plan_cost(candidate.plan, self._units)

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """See :class:`Evaluator`."""
        last = self._epochs if epochs is None else epochs
        progress.trial_started(number, str(candidate.plan), last)
        curve = {epoch: self._results(candidate, epoch) for epoch in range(1, last + 1)}
        return Measurement(curve[last], last, last * self._seconds, results_by_epoch=curve)

    def _results(self, candidate: Candidate, epoch: int) -> dict[str, TaskResult]:
        scores = self._curve(candidate, epoch)
        return {task: TaskResult({SCORE.name: scores[task]}, (SCORE,)) for task in self._tasks}


def equal_units(count: int) -> tuple[UnitSpec, ...]:
    """Return units that all have the same cost.

    Args:
        count: number of units.

    Returns:
        Units with 1 channel, stride 1, 1 parameter and 1 FLOP each.
    """
    return tuple(UnitSpec(index, f"unit{index}", 1, 1, 1, 1) for index in range(count))
