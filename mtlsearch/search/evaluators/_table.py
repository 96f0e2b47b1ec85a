"""Measuring a candidate by looking it up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtlsearch.errors import DataError, TrainingError
from mtlsearch.plan import Cost, SharingPlan, UnitSpec
from mtlsearch.plugin import Candidate
from mtlsearch.search._evaluator import Measurement
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search.evaluators._function import alike_units
from mtlsearch.search.evaluators._plan_table import TrainedPlan, read_table, trained_plans


class TableEvaluator:
    """Looks up what was trained before; a table need not have every plan.

    Give :attr:`plans` to the candidate space as ``only``, so that no other is proposed.

    Args:
        trained: what is known of each plan, ``independent`` among them.
        where: the table, for messages.
    """

    def __init__(self, trained: dict[SharingPlan, TrainedPlan], where: str = "the table") -> None:
        if not trained:
            raise DataError("the table has no trained plan", where=where)
        first = next(iter(trained))
        self._tasks, count = first.tasks, len(first.rows)
        if any(len(plan.rows) != count for plan in trained):
            raise DataError("the table's plans differ in their number of units", where=where)
        if SharingPlan.independent(self._tasks, count) not in trained:
            raise DataError(
                "the table lacks the independent plan, against which Δm is measured", where=where
            )
        self._trained, self._units = trained, alike_units(count)

    @classmethod
    def read(
        cls, path: str | Path, *, setting: str | None = None, seed: int | None = None
    ) -> TableEvaluator:
        """From a CSV file; :mod:`mtlsearch.search.evaluators._plan_table` describes its columns.

        Args:
            path: the file.
            setting: which of its settings, where it has several.
            seed: which training seed's results; by default the lowest there is.

        Raises:
            DataError: the file does not hold such a table.
        """
        table = read_table(Path(path), setting)
        chosen = int(table["seed"].min()) if seed is None else seed
        return cls(trained_plans(table, chosen), str(path))

    @property
    def plans(self) -> frozenset[SharingPlan]:
        """The plans that can be measured."""
        return frozenset(self._trained)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names, sorted."""
        return self._tasks

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """As many units as the plans have; a table knows no more of them."""
        return self._units

    def cost(self, candidate: Candidate) -> Cost:
        """As the table has it; 0 for a plan that it does not have."""
        known = self._trained.get(candidate.plan)
        return Cost(0, 0) if known is None else known.cost

    @property
    def epochs(self) -> int:
        """How many epochs a whole training has: as many as ``independent`` was trained for."""
        alone = SharingPlan.independent(self._tasks, len(self._units))
        return self._trained[alone].epochs

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """Look the plan up; see :class:`Evaluator`."""
        known = self._trained.get(candidate.plan)
        if known is None:
            raise TrainingError(f"the table does not have the plan {candidate.plan}")
        last = known.epochs if epochs is None else epochs
        if last not in known.results_by_epoch:
            raise TrainingError(f"the table does not have epoch {last} of {candidate.plan}")
        progress.trial_started(number, str(candidate.plan), last)
        curve = {at: results for at, results in known.results_by_epoch.items() if at <= last}
        return Measurement(
            known.results_by_epoch[last], last, known.clock[last], results_by_epoch=curve
        )
