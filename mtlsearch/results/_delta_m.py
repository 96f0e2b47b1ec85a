"""The one number by which multi-task networks are ranked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import fmean

from mtlsearch.plugin import Metric
from mtlsearch.results._result import TaskResult
from mtlsearch.results._trial import TrialRecord


def delta_m(
    result: Mapping[str, TaskResult], reference: Mapping[str, TaskResult]
) -> tuple[float | None, str]:
    """Mean relative change against a reference, in percent; higher is better.

    The mean over tasks of the mean over a task's metrics of ``(m - b) / |b|``, its sign
    turned where lower is better (Maninis et al. 2019; Vandenhende et al. 2021).

    Args:
        result: what was measured, by task.
        reference: what the ``independent`` trial measured, by task.

    Returns:
        Δm and an empty reason; or None and the reason why it is undefined: no metric is
        ever left out of the mean.
    """
    if not reference:
        return None, "there is no trained independent baseline to compare with"
    if set(result) != set(reference):
        return None, f"it has results for {sorted(result)}, the baseline for {sorted(reference)}"
    changes = []
    for task in sorted(result):
        specs = reference[task].specs
        if not specs:
            return None, f"task {task!r} has no metric"
        within = []
        for spec in specs:
            change, reason = _change(spec, result[task].metrics, reference[task].metrics)
            if change is None:
                return None, f"{task}.{spec.name} {reason}"
            within.append(change)
        changes.append(fmean(within))
    return 100.0 * fmean(changes), ""


def reference_trial(records: Iterable[TrialRecord]) -> TrialRecord | None:
    """What Δm is measured against: the complete ``independent`` trial, if there is one."""
    complete = (at for at in records if at.baseline == "independent" and at.state == "complete")
    return next(complete, None)


def reference_of(records: Iterable[TrialRecord]) -> Mapping[str, TaskResult]:
    """The results of the reference, or none."""
    found = reference_trial(records)
    return {} if found is None else found.results


def reference_at(records: Iterable[TrialRecord], epoch: int) -> Mapping[str, TaskResult]:
    """What the reference measured after an earlier epoch, or nothing."""
    found = reference_trial(records)
    return {} if found is None else found.rung_results.get(epoch, {})


def deltas(records: Iterable[TrialRecord]) -> dict[int, float]:
    """Δm in percent of every complete trial that has one, by number."""
    known = list(records)
    reference = reference_of(known)
    found = {
        record.number: delta_m(record.results, reference)[0]
        for record in known
        if record.state == "complete"
    }
    return {number: value for number, value in found.items() if value is not None}


def _change(
    spec: Metric, measured: Mapping[str, float], baseline: Mapping[str, float]
) -> tuple[float | None, str]:
    """The relative change of one metric, positive where it is better."""
    now, then = measured.get(spec.name, math.nan), baseline.get(spec.name, math.nan)
    if not math.isfinite(then):
        return None, "was not measured of the independent baseline"
    if then == 0:
        return None, "is 0 for the independent baseline: a relative change from it is undefined"
    if not math.isfinite(now):
        return None, "was not measured"
    change = (now - then) / abs(then)
    return (change if spec.higher_is_better else -change), ""
