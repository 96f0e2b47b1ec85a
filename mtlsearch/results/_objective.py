"""What a search is after: Δm alone, or several things at once."""

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
"""The cost that is measured, where the others are arithmetic."""

COSTS: Mapping[str, Callable[[TrialRecord], float | None]] = {
    "params": lambda record: record.parameters,
    "flops": lambda record: record.flops,
    TIME: lambda record: None if record.latency is None else record.latency.ms,
}
"""What a network costs, by name; less is better."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One number a trial is judged by.

    Attributes:
        name: ``delta_m``, one of :data:`COSTS`, or ``task.metric``.
        maximise: whether more of it is better.
    """

    name: str
    maximise: bool

    @property
    def direction(self) -> Direction:
        """Optuna's word for it."""
        return "maximize" if self.maximise else "minimize"

    def value(
        self,
        record: TrialRecord,
        results: Mapping[str, TaskResult],
        reference: Mapping[str, TaskResult],
    ) -> float | None:
        """The number; None where it is undefined.

        Args:
            record: the trial, for what it costs.
            results: what was measured of it, at whatever epoch.
            reference: what the ``independent`` trial measured at that epoch.
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
        """The number with its sign turned where less is better; minus infinity if undefined."""
        value = self.value(record, results, reference)
        if value is None:
            return -math.inf
        return value if self.maximise else -value


DELTA_M = Objective("delta_m", maximise=True)


def objective_values(
    record: TrialRecord, records: Iterable[TrialRecord], objectives: Sequence[Objective]
) -> list[float] | None:
    """A trial's numbers by its results; None where one of them is undefined."""
    reference = record.results if record.baseline == "independent" else reference_of(records)
    values = [objective.value(record, record.results, reference) for objective in objectives]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def objectives_in(records: Sequence[TrialRecord], names: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives of those names as far as the trials so far have them.

    A metric's direction is known once a trial was measured; before, there is nothing to rank.
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
    """The objectives of those names.

    Args:
        names: as a run file has them.
        metrics: every task's metrics.
        where: where they are named, for messages.

    Raises:
        ConfigError: there is no such objective.
    """
    known = {
        DELTA_M.name: DELTA_M,
        **{name: Objective(name, maximise=False) for name in COSTS},
        **{
            f"{task}.{spec.name}": Objective(f"{task}.{spec.name}", spec.higher_is_better)
            for task, specs in sorted(metrics.items())
            for spec in specs
        },
    }
    for name in names:
        if name not in known:
            raise ConfigError(
                f"there is no objective {name!r}{did_you_mean(name, known)}",
                where=where,
                allowed=list(known),
            )
    return tuple(known[name] for name in names)
