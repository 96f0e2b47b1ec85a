"""The columns of a leaderboard that hold metrics."""

from __future__ import annotations

from collections.abc import Sequence

from mtlsearch.plugin import Metric
from mtlsearch.results._trial import TrialRecord


def metric_columns(
    records: Sequence[TrialRecord], *, all_metrics: bool, wanted: str = ""
) -> dict[str, Metric]:
    """``task.metric`` to what is known of the metric, tasks sorted, in the tasks' own order.

    Args:
        records: the trials of one run.
        all_metrics: every metric, or each task's primary one alone.
        wanted: a column that is among them in any case, if it is a metric.
    """
    specs = {
        task: result.specs for record in records for task, result in sorted(record.results.items())
    }
    return {
        f"{task}.{spec.name}": spec
        for task in sorted(specs)
        for spec in specs[task]
        if all_metrics or spec.primary or f"{task}.{spec.name}" == wanted
    }


def metric_value(record: TrialRecord, column: str) -> float:
    """A record's value for such a column; NaN where it has none."""
    task, _, metric = column.partition(".")
    result = record.results.get(task)
    return float("nan") if result is None else result.metrics.get(metric, float("nan"))
