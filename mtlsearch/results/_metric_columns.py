"""Leaderboard columns with metrics; ``_columns.py`` lists all other columns."""

from __future__ import annotations

from collections.abc import Sequence

from mtlsearch.plugin import Metric
from mtlsearch.results._trial import TrialRecord


def metric_columns(
    records: Sequence[TrialRecord], *, all_metrics: bool, sort: str = ""
) -> dict[str, Metric]:
    """Return the metrics by column name ``task.metric``, with the tasks sorted.

    Args:
        records: the trials of a run.
        all_metrics: include all metrics, not only the primary metric of each task.
        sort: a column to include in any case if it is a metric.
    """
    specs_by_task = {
        task: result.specs for record in records for task, result in sorted(record.results.items())
    }
    return {
        f"{task}.{spec.name}": spec
        for task in sorted(specs_by_task)
        for spec in specs_by_task[task]
        if all_metrics or spec.primary or f"{task}.{spec.name}" == sort
    }


ERROR = "_error"
"""End of the name of a column with standard errors, which follows that of the metric."""


def metric_error(record: TrialRecord, column: str) -> float:
    """Return the standard error of a record in a metric column; NaN if it is unknown."""
    task, _, metric = column.partition(".")
    result = record.results.get(task)
    return float("nan") if result is None else result.errors.get(metric, float("nan"))


def metric_value(record: TrialRecord, column: str) -> float:
    """Return the value of a record in a metric column; NaN if there is none."""
    task, _, metric = column.partition(".")
    result = record.results.get(task)
    return float("nan") if result is None else result.metrics.get(metric, float("nan"))
