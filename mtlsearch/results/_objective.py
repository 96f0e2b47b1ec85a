"""Objectives of a search: Δm, costs and metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mtlsearch.errors import ConfigError, did_you_mean
from mtlsearch.plugin import Metric
from mtlsearch.results._delta_m import delta_m, reference_of
from mtlsearch.results._result import TaskResult
from mtlsearch.results._trial import TrialRecord

Direction = Literal["maximize", "minimize"]

TIME = "latency_ms"
"""The cost that is measured; the other costs are computed."""

COSTS: Mapping[str, Callable[[TrialRecord], float | None]] = {
    "params": lambda record: record.parameters,
    "flops": lambda record: record.flops,
    TIME: lambda record: None if record.latency is None else record.latency.ms,
}
"""Costs of a network by name; lower is better."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A number to maximize or minimize.

    Attributes:
        name: ``delta_m``, one of :data:`COSTS`, or ``task.metric``.
        maximize: whether higher is better.
    """

    name: str
    maximize: bool

    @property
    def direction(self) -> Direction:
        """The direction, as in Optuna."""
        return "maximize" if self.maximize else "minimize"

    def value(
        self,
        record: TrialRecord,
        results: Mapping[str, TaskResult],
        reference: Mapping[str, TaskResult],
    ) -> float | None:
        """Return the value of a trial.

        Args:
            record: the trial, for its costs.
            results: its results by task, at any epoch.
            reference: results of the ``independent`` trial at the same epoch.

        Returns:
            The value; None if it is undefined.
        """
        if self.name in COSTS:
            value = COSTS[self.name](record)
        elif self.name == DELTA_M.name:
            value = delta_m(results, reference)[0]
        else:
            task, _, metric = self.name.partition(".")
            value = results[task].metrics.get(metric) if task in results else None
        return None if value is None or not math.isfinite(value) else float(value)

    def gain(
        self,
        record: TrialRecord,
        results: Mapping[str, TaskResult],
        reference: Mapping[str, TaskResult],
    ) -> float:
        """Return the value with a sign such that higher is better.

        Args:
            record: the trial, for its costs.
            results: its results by task, at any epoch.
            reference: results of the ``independent`` trial at the same epoch.

        Returns:
            The signed value; minus infinity if it is undefined.
        """
        value = self.value(record, results, reference)
        if value is None:
            return -math.inf
        return value if self.maximize else -value


DELTA_M = Objective("delta_m", maximize=True)


def objective_values(
    record: TrialRecord, records: Iterable[TrialRecord], objectives: Sequence[Objective]
) -> list[float] | None:
    """Return the objective values of a trial.

    Args:
        record: the trial.
        records: the trials of the run, for the reference.
        objectives: the objectives.

    Returns:
        One value per objective; None if one of them is undefined.
    """
    reference = record.results if record.baseline == "independent" else reference_of(records)
    values = [objective.value(record, record.results, reference) for objective in objectives]
    defined = [value for value in values if value is not None]
    return defined if len(defined) == len(values) else None


def objectives_in(records: Sequence[TrialRecord], names: Sequence[str]) -> tuple[Objective, ...]:
    """Return the objectives whose direction is already known from the trials.

    The direction of a metric is known after the first measured trial.

    Args:
        records: the trials of a run.
        names: names of the objectives, as in a run file.

    Returns:
        The objectives; Δm if none is known.
    """
    metrics = {task: result.specs for record in records for task, result in record.results.items()}
    measured = [name for name in names if metrics or "." not in name]
    return objectives_of(measured, metrics) or (DELTA_M,)


def objectives_of(
    names: Sequence[str],
    metrics: Mapping[str, Sequence[Metric]],
    *,
    where: str = "search.objectives",
) -> tuple[Objective, ...]:
    """Return the objectives of some names.

    Args:
        names: names of the objectives, as in a run file.
        metrics: the metrics by task.
        where: the location of the names, for messages.

    Returns:
        The objectives, in the order of the names.

    Raises:
        ConfigError: an objective does not exist.
    """
    objective_by_name = {
        DELTA_M.name: DELTA_M,
        **{name: Objective(name, maximize=False) for name in COSTS},
        **{
            f"{task}.{spec.name}": Objective(f"{task}.{spec.name}", spec.higher_is_better)
            for task, specs in sorted(metrics.items())
            for spec in specs
        },
    }
    for name in names:
        if name not in objective_by_name:
            raise ConfigError(
                f"the objective {name!r} does not exist{did_you_mean(name, objective_by_name)}",
                where=where,
                allowed=list(objective_by_name),
            )
    return tuple(objective_by_name[name] for name in names)
