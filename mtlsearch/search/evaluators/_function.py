"""Measuring a candidate by a function of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtlsearch.plan import Cost, UnitSpec, plan_cost
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.results import TaskResult
from mtlsearch.search._evaluator import Measurement
from mtlsearch.search._progress import SearchProgress

SCORE = Metric("score", higher_is_better=True, primary=True, low=float("-inf"), high=float("inf"))


class FunctionEvaluator:
    """Measures with a function: a simulation, or training code of one's own.

    Args:
        score: gives a score a task, higher is better; the ``independent`` plan's may not be 0.
        tasks: the task names.
        units: the units of the backbone, or how many there are, each costing the same.
        seconds: what a measurement is said to take.
    """

    def __init__(
        self,
        score: Callable[[Candidate], Mapping[str, float]],
        tasks: Sequence[str],
        units: int | Sequence[UnitSpec],
        *,
        seconds: float = 0.0,
    ) -> None:
        self._curve: Callable[[Candidate, int], Mapping[str, float]] = lambda at, _: score(at)
        self._epochs, self._seconds = 1, seconds
        self._tasks = tuple(sorted(tasks))
        self._units = alike_units(units) if isinstance(units, int) else tuple(units)

    @classmethod
    def of_curves(
        cls,
        curve: Callable[[Candidate, int], Mapping[str, float]],
        tasks: Sequence[str],
        units: int | Sequence[UnitSpec],
        *,
        epochs: int,
        seconds: float = 0.0,
    ) -> FunctionEvaluator:
        """For a function that also gets the epoch, from 1, so that trials can be stopped early.

        Args:
            curve: gives a score a task after that epoch; the rest is as above.
            tasks: the task names.
            units: the units of the backbone, or how many.
            epochs: how many a whole training has.
            seconds: what an epoch is said to take.
        """
        made = cls(lambda candidate: curve(candidate, epochs), tasks, units, seconds=seconds)
        made._curve, made._epochs = curve, epochs
        return made

    @property
    def epochs(self) -> int:
        """How many epochs a whole training has; 1 where the score knows of none."""
        return self._epochs

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names, sorted."""
        return self._tasks

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """The units, whatever the backbone."""
        return self._units

    def cost(self, candidate: Candidate) -> Cost:
        """The copies of all units, without heads."""
        return plan_cost(candidate.plan, self._units)

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """Call the function, once an epoch; see :class:`Evaluator`."""
        last = self._epochs if epochs is None else epochs
        progress.trial_started(number, str(candidate.plan), last)
        curve = {at: self._results(candidate, at) for at in range(1, last + 1)}
        return Measurement(curve[last], last, last * self._seconds, results_by_epoch=curve)

    def _results(self, candidate: Candidate, epoch: int) -> dict[str, TaskResult]:
        scores = self._curve(candidate, epoch)
        return {task: TaskResult({SCORE.name: scores[task]}, (SCORE,)) for task in self._tasks}


def alike_units(count: int) -> tuple[UnitSpec, ...]:
    """Units of which nothing is known but how many there are."""
    return tuple(UnitSpec(at, f"unit{at}", 1, 1, 1, 1) for at in range(count))
