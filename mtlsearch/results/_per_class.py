"""Validation results per class of the trials of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mtlsearch.errors import ConfigError, did_you_mean
from mtlsearch.results._trial import TrialRecord

if TYPE_CHECKING:
    import pandas as pd


def per_class_results(records: Iterable[TrialRecord], task: str) -> pd.DataFrame:
    """Return the results per class of a task in all complete trials.

    Args:
        records: the trials of a run.
        task: name of the task.

    Returns:
        One row per trial, metric and class: ``trial``, ``metric``, ``class`` and ``value``, which
        is NaN if it is undefined. By trial number; the first metric of a trial is the main one.

    Raises:
        ConfigError: no trial has results per class of the task.
    """
    import pandas as pd  # half a second, which reading a study does not need

    complete = [record for record in records if record.state == "complete"]
    rows = [
        (record.number, metric, name, value)
        for record in sorted(complete, key=lambda record: record.number)
        if task in record.results
        for metric, by_class in record.results[task].per_class.items()
        for name, value in by_class.items()
    ]
    if not rows:
        raise _no_results(complete, task)
    return pd.DataFrame(rows, columns=["trial", "metric", "class", "value"])


def _no_results(complete: Sequence[TrialRecord], task: str) -> ConfigError:
    tasks = sorted({name for record in complete for name in record.results})
    with_results = [
        name
        for name in tasks
        if any(record.results[name].per_class for record in complete if name in record.results)
    ]
    if task not in tasks:
        return ConfigError(
            f"no complete trial has a task {task!r}{did_you_mean(task, tasks)}",
            where="--per-class",
            allowed=tasks,
        )
    return ConfigError(
        f"no trial has results per class of task {task!r}",
        where="--per-class",
        allowed=with_results,
        next_step="the run is older than these results, or the meter of the task has no "
        "`per_class`; `mtlsearch evaluate` computes them for one trial",
    )


def zero_classes(records: Iterable[TrialRecord]) -> dict[str, dict[str, list[int]]]:
    """Return the classes at 0, which a mean over classes hides.

    Args:
        records: the trials of a run.

    Returns:
        Trial numbers by task and class name, ascending; of complete trials with results per
        class.
    """
    numbers_by_task: dict[str, dict[str, list[int]]] = {}
    for record in sorted(records, key=lambda record: record.number):
        if record.state != "complete":
            continue
        for task, result in record.results.items():
            for name in result.zero_classes:
                numbers_by_task.setdefault(task, {}).setdefault(name, []).append(record.number)
    return numbers_by_task
