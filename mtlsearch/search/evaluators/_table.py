"""Evaluator that looks up the results of trained plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mtlsearch.errors import DataError, TrainingError
from mtlsearch.plan import Cost, SharingPlan, UnitSpec
from mtlsearch.plugin import Candidate
from mtlsearch.search._evaluator import Measurement
from mtlsearch.search._progress import SearchProgress
from mtlsearch.search.evaluators._function import equal_units
from mtlsearch.search.evaluators._plan_table import TrainedPlan, read_table, trained_plans


class TableEvaluator:
    """Evaluator that looks up trained plans; a table may lack plans.

    Pass :attr:`plans` as ``allowed_plans`` to :func:`build_candidate_space`, so that plans
    without results are not proposed.

    Args:
        trained: results by plan, ``independent`` included.
        where: the table, for messages.

    Raises:
        DataError: the table lacks ``independent`` or its plans differ in their number of units.
    """

    def __init__(
        self, trained: Mapping[SharingPlan, TrainedPlan], where: str = "the table"
    ) -> None:
        if not trained:
            raise DataError("the table does not contain a trained plan", where=where)
        first = next(iter(trained))
        self._tasks, num_units = first.tasks, len(first.rows)
        if any(len(plan.rows) != num_units for plan in trained):
            raise DataError("the table's plans differ in their number of units", where=where)
        if SharingPlan.independent(self._tasks, num_units) not in trained:
            raise DataError("the table lacks the independent plan, to which Δm refers", where=where)
        self._trained, self._units = trained, equal_units(num_units)

    @classmethod
    def read(
        cls, path: str | Path, *, setting: str | None = None, seed: int | None = None
    ) -> TableEvaluator:
        """Read a table from a CSV file, see :mod:`mtlsearch.search.evaluators._plan_table`.

        Args:
            path: the file.
            setting: value of the column ``setting``; None if the table has one setting.
            seed: training seed; None for the lowest one.

        Returns:
            The evaluator.

        Raises:
            DataError: the file is not such a table.
        """
        table = read_table(Path(path), setting)
        chosen_seed = int(table["seed"].min()) if seed is None else seed
        return cls(trained_plans(table, chosen_seed), str(path))

    @property
    def plans(self) -> frozenset[SharingPlan]:
        """Plans with results."""
        return frozenset(self._trained)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names, sorted."""
        return self._tasks

    @property
    def epochs(self) -> int:
        """Epochs of a full training: those of the ``independent`` plan."""
        return self._trained[SharingPlan.independent(self._tasks, len(self._units))].epochs

    def units(self, backbone: str) -> Sequence[UnitSpec]:
        """Return as many units as the plans have.

        Args:
            backbone: ignored.

        Returns:
            Units with equal costs, since a table has costs of whole plans only.
        """
        return self._units

    def cost(self, candidate: Candidate) -> Cost:
        """Look up parameters and FLOPs.

        Args:
            candidate: what is measured.

        Returns:
            The cost; 0 if the table lacks the plan.
        """
        trained = self._trained.get(candidate.plan)
        return Cost(0, 0) if trained is None else trained.cost

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        """See :class:`Evaluator`."""
        trained = self._trained.get(candidate.plan)
        if trained is None:
            raise TrainingError(f"the table does not have the plan {candidate.plan}")
        last = trained.epochs if epochs is None else epochs
        if last not in trained.results_by_epoch:
            raise TrainingError(f"the table does not have epoch {last} of {candidate.plan}")
        progress.trial_started(number, str(candidate.plan), last)
        curve = {
            epoch: results for epoch, results in trained.results_by_epoch.items() if epoch <= last
        }
        return Measurement(
            trained.results_by_epoch[last],
            last,
            trained.seconds_by_epoch[last],
            results_by_epoch=curve,
        )
