"""Measuring a candidate by a function of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtlsearch.plan import Cost, plan_cost
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.record import TaskResult
from mtlsearch.search._evaluator import Measurement
from mtlsearch.search._progress import SearchProgress
from mtlsearch.units import UnitSpec

SCORE = Metric("score", higher_is_better=True, primary=True, low=float("-inf"), high=float("inf"))


class FunctionEvaluator:
    """Measures with a function: a simulation, or training code of one's own.

    Args:
        score: gives a score a task, higher is better; the ``independent`` plan's may not be 0.
        tasks: the task names.
        units: the units of the backbone, or how many there are, each costing the same.
    """

    def __init__(
        self,
        score: Callable[[Candidate], Mapping[str, float]],
        tasks: Sequence[str],
        units: int | Sequence[UnitSpec],
    ) -> None:
        self._score = score
        self._tasks = tuple(sorted(tasks))
        self._units = alike_units(units) if isinstance(units, int) else tuple(units)

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

    def measure(self, number: int, candidate: Candidate, progress: SearchProgress) -> Measurement:
        """Call the function; see :class:`Evaluator`."""
        progress.trial_started(number, str(candidate.plan), 1)
        scores = self._score(candidate)
        results = {task: TaskResult({SCORE.name: scores[task]}, (SCORE,)) for task in self._tasks}
        return Measurement(results, epochs=1, seconds=0.0)


def alike_units(count: int) -> tuple[UnitSpec, ...]:
    """Units of which nothing is known but how many there are."""
    return tuple(UnitSpec(at, f"unit{at}", 1, 1, 1, 1) for at in range(count))
