"""Δm: mean relative change of all metrics against the ``independent`` baseline.

A relative change divides by the value of the baseline. If that value is noise, so is the change:
an mAP of 0.004 instead of 0.002 would be +100 %. Such a metric is not counted. A saturated metric
has no room above, and its last image is chance, so only larger losses change Δm. If all metrics of
the baseline are 0, none is counted, and Δm is 0 for every trial.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from types import MappingProxyType

from mtlsearch.plugin import Metric
from mtlsearch.results._result import TaskResult, jackknife_error
from mtlsearch.results._trial import TrialRecord


@dataclass(frozen=True, slots=True)
class CountedMetrics:
    """The metrics that Δm counts, given the results of the ``independent`` baseline.

    Attributes:
        by_task: the counted metrics by task, without tasks that have none.
        not_counted: value of the baseline by ``task.metric`` of the metrics that are not counted.
        saturated: value of the baseline by ``task.metric`` of counted metrics that are within one
            image, or as errors within two standard errors, of their best value.
        is_noise: whether no metric of the baseline exceeds its noise. Then all metrics that are
            not 0 are counted, and Δm is noise. If all are 0, Δm is 0 for every trial.
    """

    by_task: Mapping[str, tuple[Metric, ...]]
    not_counted: Mapping[str, float]
    saturated: Mapping[str, float]
    is_noise: bool = False


def counted_metrics(reference: Mapping[str, TaskResult]) -> CountedMetrics:
    """Return which metrics Δm counts.

    Args:
        reference: results of the ``independent`` trial by task.

    Returns:
        The counted metrics. A metric that was not measured is counted, so that Δm is undefined.
    """
    return _prepare(reference).counted


@dataclass(frozen=True, slots=True)
class _ReferenceMetric:
    """A counted metric of the reference.

    Attributes:
        spec: the metric.
        value: its value; NaN if it was not measured.
        limit: see :meth:`TaskResult.saturation_limit`.
        error: its standard error; None if unknown.
        replicates: its value without each fold in turn.
    """

    spec: Metric
    value: float
    limit: float | None
    error: float | None
    replicates: tuple[float, ...]

    @classmethod
    def of(cls, spec: Metric, result: TaskResult) -> _ReferenceMetric:
        """Return the metric in the results of the reference."""
        return cls(
            spec,
            result.value(spec),
            result.saturation_limit(spec),
            result.errors.get(spec.name),
            result.replicates.get(spec.name, ()),
        )

    def change(self, result: TaskResult) -> tuple[float | None, str]:
        """Return the relative change of a result, positive if better, or why it is undefined."""
        value = result.value(self.spec)
        if not math.isfinite(self.value):
            return None, "was not measured for the independent baseline"
        if not math.isfinite(value):
            return None, "was not measured"
        return self._relative_change(value, self.value), ""

    def paired_changes(self, result: TaskResult) -> tuple[float, ...]:
        """Return the change without each fold.

        Empty without replicates of both, or if the reference is 0 without a fold.
        """
        values = result.replicates.get(self.spec.name, ())
        if len(values) != len(self.replicates):
            return ()
        if self.limit is None and 0.0 in self.replicates:
            return ()
        return tuple(map(self._relative_change, values, self.replicates))

    def unpaired_error(self, result: TaskResult) -> float | None:
        """Return the error of the change, as if both results were independent."""
        error = result.errors.get(self.spec.name)
        if error is None or self.error is None:
            return None
        value, reference, limit = result.value(self.spec), self.value, self.limit
        if limit is not None:
            is_equal = value >= limit if self.spec.higher_is_better else value <= limit
            return 0.0 if is_equal else error / abs(limit)
        return math.hypot(error / reference, value * self.error / reference**2)

    def _relative_change(self, value: float, reference: float) -> float:
        if self.limit is not None:
            worse = min if self.spec.higher_is_better else max
            value, reference = worse(value, self.limit), self.limit
        change = (value - reference) / abs(reference)
        return change if self.spec.higher_is_better else -change


@dataclass(frozen=True, slots=True)
class _Reference:
    """What each comparison with one reference requires.

    Attributes:
        reason: why Δm against it is undefined for all trials; empty if it is not.
        counted: the metrics that Δm counts.
        metrics_by_task: these metrics with their values, by task.
    """

    reason: str
    counted: CountedMetrics
    metrics_by_task: Mapping[str, tuple[_ReferenceMetric, ...]]

    @classmethod
    def of(cls, results: Mapping[str, TaskResult]) -> _Reference:
        """Return the reference with some results by task."""
        counted = _select_counted(results)
        without_metric = [task for task, result in sorted(results.items()) if not result.specs]
        reason = ""
        if without_metric:
            reason = f"task {without_metric[0]!r} has no metric"
        elif not counted.by_task and not counted.not_counted:
            reason = "no task has a metric that Δm counts"
        return cls(
            reason,
            counted,
            {
                task: tuple(_ReferenceMetric.of(spec, results[task]) for spec in specs)
                for task, specs in counted.by_task.items()
            },
        )


class _Results:
    """Results that are equal only to themselves, so that they can be the key of a cache."""

    def __init__(self, by_task: Mapping[str, TaskResult]) -> None:
        self.by_task = by_task

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Results) and self.by_task is other.by_task

    def __hash__(self) -> int:
        return id(self.by_task)


def _prepare(reference: Mapping[str, TaskResult]) -> _Reference:
    # Those of a record do not change. A study compares all trials with one reference at few epochs.
    if isinstance(reference, MappingProxyType):
        return _prepare_once(_Results(reference))
    return _Reference.of(reference)


@lru_cache(maxsize=32)
def _prepare_once(results: _Results) -> _Reference:
    return _Reference.of(results.by_task)


def _select_counted(reference: Mapping[str, TaskResult]) -> CountedMetrics:
    by_task = {
        task: tuple(spec for spec in _eligible(result) if not result.is_near_worst(spec))
        for task, result in sorted(reference.items())
    }
    is_noise = not any(by_task.values())
    if is_noise:
        by_task = {
            task: tuple(spec for spec in _eligible(result) if result.value(spec) != 0)
            for task, result in sorted(reference.items())
        }
    return CountedMetrics(
        {task: specs for task, specs in by_task.items() if specs},
        {
            f"{task}.{spec.name}": result.value(spec)
            for task, result in sorted(reference.items())
            for spec in _eligible(result)
            if spec not in by_task[task]
        },
        {
            f"{task}.{spec.name}": reference[task].value(spec)
            for task, specs in by_task.items()
            for spec in specs
            if reference[task].saturation_limit(spec) is not None
        },
        is_noise,
    )


def _eligible(result: TaskResult) -> tuple[Metric, ...]:
    return tuple(spec for spec in result.specs if spec.in_delta_m)


def delta_m(
    result: Mapping[str, TaskResult], reference: Mapping[str, TaskResult]
) -> tuple[float | None, str]:
    """Return the mean relative change against a reference, in percent; higher is better.

    The mean over tasks of the mean over a task's metrics of ``(m - b) / |b|``, with the sign
    inverted if lower is better (Maninis et al. 2019; Vandenhende et al. 2021). A metric whose
    baseline is 0 or within its noise of the worst value is not counted, and a task without another
    metric neither. Values within one image of the best value are equal if that of the baseline is.
    :func:`counted_metrics` returns which metrics that are. If none is left, Δm is 0.

    Args:
        result: results by task.
        reference: results of the ``independent`` trial by task.

    Returns:
        Δm and an empty text; or None and the reason why Δm is undefined.
    """
    changes, reason = _changes(result, reference)
    return (100.0 * fmean(changes.values()), "") if changes else (None, reason)


def why_unranked(reference: Mapping[str, TaskResult]) -> str:
    """Return why Δm cannot rank trials, such as at a rung at which the baseline is still 0.

    Args:
        reference: results of the ``independent`` trial by task.

    Returns:
        The reason; empty if Δm is defined and counts a metric.
    """
    _, reason = _changes(reference, reference)
    if reason:
        return reason
    counted = counted_metrics(reference)
    names = "" if counted.by_task else ", ".join(counted.not_counted)
    return names and f"the independent baseline is 0 in {names}, so Δm counts no metric"


def delta_m_by_task(
    result: Mapping[str, TaskResult], reference: Mapping[str, TaskResult]
) -> dict[str, float] | None:
    """Return the part of each task in Δm, in percent. Their mean is Δm.

    Args:
        result: results by task.
        reference: results of the ``independent`` trial by task.

    Returns:
        Part by task, 0 for a task of which no metric is counted; None if Δm is undefined.
    """
    changes, _ = _changes(result, reference)
    if not changes:
        return None
    scale = 100.0 * len(reference) / len(changes)
    return {task: scale * changes.get(task, 0.0) for task in sorted(reference)}


def delta_m_error(
    result: Mapping[str, TaskResult], reference: Mapping[str, TaskResult]
) -> float | None:
    """Return the standard error of Δm over validation images, in percent.

    It contains the error of the reference. Results with replicates of the same images are paired:
    Δm is computed without each fold in turn, so that what images do to both results, and to several
    tasks, cancels or adds as it does in Δm. Without replicates, errors are propagated as if result,
    reference and tasks were independent and the metrics of a task were not, which is too large for
    results on the same images.

    Args:
        result: results by task.
        reference: results of the ``independent`` trial by task.

    Returns:
        The error; None if Δm or the error of a counted metric is undefined.
    """
    changes = _change_errors(result, reference)
    if not changes:
        return None
    paired = [change.replicates for change in changes.values()]
    if len({len(values) for values in paired}) == 1 and paired[0]:
        return 100.0 * jackknife_error([fmean(values) for values in zip(*paired, strict=True)])
    return 100.0 * math.hypot(*(change.error for change in changes.values())) / len(changes)


def delta_m_error_by_task(
    result: Mapping[str, TaskResult],
    reference: Mapping[str, TaskResult],
    *,
    is_defined: bool = False,
) -> dict[str, float] | None:
    """Return the standard error of the part of each task in Δm, in percent.

    The parts are those of :func:`delta_m_by_task`, the errors those of :func:`delta_m_error`.

    Args:
        result: results by task.
        reference: results of the ``independent`` trial by task.
        is_defined: whether Δm is known to be defined, which takes as long as the errors.

    Returns:
        Error by task, 0 for a task of which no metric is counted, without tasks that have a counted
        metric of unknown error; None if Δm is undefined.
    """
    if not is_defined and not _changes(result, reference)[0]:
        return None
    counted = _prepare(reference).metrics_by_task
    scale = 100.0 * len(reference) / (len(counted) or len(reference))
    errors = dict.fromkeys(sorted(reference.keys() - counted.keys()), 0.0)
    for task in counted:
        error = _task_error(counted[task], result[task])
        if error is not None:
            errors[task] = scale * error.error
    return dict(sorted(errors.items()))


def reference_trial(records: Iterable[TrialRecord]) -> TrialRecord | None:
    """Return the reference of Δm: the complete ``independent`` trial.

    Args:
        records: the trials of a run.

    Returns:
        The trial; None if there is none.
    """
    complete = (
        record
        for record in records
        if record.baseline == "independent" and record.state == "complete"
    )
    return next(complete, None)


def reference_of(records: Iterable[TrialRecord]) -> Mapping[str, TaskResult]:
    """Return the results of the reference trial.

    Args:
        records: the trials of a run.

    Returns:
        Results by task; empty without a reference.
    """
    reference = reference_trial(records)
    return {} if reference is None else reference.results


def reference_at(records: Iterable[TrialRecord], epoch: int) -> Mapping[str, TaskResult]:
    """Return the results of the reference trial at a rung.

    Args:
        records: the trials of a run.
        epoch: the rung, from 1.

    Returns:
        Results by task; empty if there are none.
    """
    reference = reference_trial(records)
    return {} if reference is None else reference.rung_results.get(epoch, {})


def deltas(records: Iterable[TrialRecord]) -> dict[int, float]:
    """Return Δm in percent of each complete trial for which it is defined.

    Args:
        records: the trials of a run.

    Returns:
        Δm by trial number.
    """
    trials = list(records)
    reference = reference_of(trials)
    delta_by_number = {
        trial.number: delta_m(trial.results, reference)[0]
        for trial in trials
        if trial.state == "complete"
    }
    return {number: delta for number, delta in delta_by_number.items() if delta is not None}


def _changes(
    result: Mapping[str, TaskResult], reference: Mapping[str, TaskResult]
) -> tuple[dict[str, float], str]:
    """Return the mean relative change by task; or nothing and why Δm is undefined."""
    if not reference:
        return {}, "no trained independent baseline to compare with"
    if result.keys() != reference.keys():
        return {}, f"results are for {sorted(result)}, the baseline's for {sorted(reference)}"
    prepared = _prepare(reference)
    if prepared.reason:
        return {}, prepared.reason
    if not prepared.metrics_by_task:
        return dict.fromkeys(sorted(reference), 0.0), ""
    changes = {}
    for task, metrics in prepared.metrics_by_task.items():
        changes_of_task = []
        for metric in metrics:
            change, reason = metric.change(result[task])
            if change is None:
                return {}, f"{task}.{metric.spec.name} {reason}"
            changes_of_task.append(change)
        changes[task] = fmean(changes_of_task)
    return changes, ""


@dataclass(frozen=True, slots=True)
class _ChangeError:
    """Standard error of the relative change of a task.

    Attributes:
        error: the error, as a fraction.
        replicates: the change without each fold in turn; empty if results are not paired.
    """

    error: float
    replicates: tuple[float, ...] = ()


def _change_errors(
    result: Mapping[str, TaskResult], reference: Mapping[str, TaskResult]
) -> dict[str, _ChangeError]:
    """Return the error of the change of each counted task; empty if one is unknown."""
    changes, _ = _changes(result, reference)
    counted = _prepare(reference).metrics_by_task
    errors = {}
    for task in [task for task in changes if task in counted]:
        error = _task_error(counted[task], result[task])
        if error is None:
            return {}
        errors[task] = error
    return errors


def _task_error(metrics: Sequence[_ReferenceMetric], result: TaskResult) -> _ChangeError | None:
    """Return the error of the mean change of the counted metrics of a task; None if unknown."""
    replicates = [metric.paired_changes(result) for metric in metrics]
    if all(replicates):
        means = tuple(fmean(values) for values in zip(*replicates, strict=True))
        return _ChangeError(jackknife_error(means), means)
    errors = [metric.unpaired_error(result) for metric in metrics]
    known_errors = [error for error in errors if error is not None]
    # Metrics of one task rise and fall together: the mean of their errors is the largest error.
    is_known = len(known_errors) == len(errors)
    return _ChangeError(fmean(known_errors)) if is_known else None
