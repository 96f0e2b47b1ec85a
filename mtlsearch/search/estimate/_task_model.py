"""Posterior of one task over all plans: the surrogate with a prior mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtlsearch.plan import SharingPlan
from mtlsearch.search.samplers import (
    Array,
    SharingFeatures,
    SharingPosterior,
    TaskParams,
    TrainingRows,
    fit_tasks,
)

PriorMean = Mapping[str, Mapping[SharingPlan, float]]
"""Estimated change of each plan in percent, by task."""

MIN_CORRELATION = 0.3
"""Rank correlation with the trainings below which a prior mean is dropped."""

MIN_TRAININGS = 6
"""Trained plans besides ``independent`` from which that correlation is judged."""


@dataclass(frozen=True, slots=True)
class TaskModel:
    """Posterior of one task: the surrogate, and a prior mean times its scale.

    Attributes:
        posterior: the surrogate of the changes minus the prior mean.
        offsets: ``[N]`` scaled prior mean of all plans.
        row_offsets: ``[n]`` scaled prior mean of the trainings.
        prior_scale: factor of the prior mean; 0 if it was dropped, None without one.
        prior_correlation: its rank correlation with the trainings; None for few trainings.
    """

    posterior: SharingPosterior
    offsets: Array
    row_offsets: Array
    prior_scale: float | None
    prior_correlation: float | None

    def difference(self, features: SharingFeatures, reference: int) -> tuple[Array, Array]:
        """Return mean and variance of the task's change, minus that of a reference plan.

        Args:
            features: ``[N, U]`` sharing features of the plans.
            reference: index of the reference.

        Returns:
            Mean ``[N]`` in percent and variance ``[N]``.
        """
        mean, variance = self.posterior.moments(0, features)
        mean = mean + self.offsets
        of_reference = features[[reference]]
        covariance = self.posterior.covariance(features[None], of_reference[None])[:, 0]
        total = variance + variance[reference] - 2.0 * covariance
        total[reference] = 0.0
        return mean - mean[reference], np.maximum(total, 0.0)


def fit_models(
    rows: TrainingRows,
    row_plans: Sequence[SharingPlan],
    plans: Sequence[SharingPlan],
    tasks: Sequence[str],
    prior: PriorMean | None,
) -> list[TaskModel]:
    """Fit the surrogate to the trainings, minus a prior mean times its ridge coefficient.

    Args:
        rows: n trainings.
        row_plans: plan of each training.
        plans: N plans to estimate.
        tasks: task names, sorted.
        prior: estimated change by task and plan; None without a prior mean.

    Returns:
        One model per task.
    """
    priors = [
        _scaled_prior((prior or {}).get(task), rows.changes[:, index], row_plans, plans)
        for index, task in enumerate(tasks)
    ]
    residual_rows = replace(
        rows, changes=rows.changes - np.stack([prior.row_offsets for prior in priors], axis=1)
    )
    params = fit_tasks(residual_rows)
    return [
        TaskModel(
            _task_posterior(residual_rows, params, task),
            of_task.offsets,
            of_task.row_offsets,
            of_task.scale,
            of_task.correlation,
        )
        for task, of_task in enumerate(priors)
    ]


def _task_posterior(
    rows: TrainingRows, params: Sequence[TaskParams], task: int
) -> SharingPosterior:
    chosen = slice(task, task + 1)
    of_task = TrainingRows(
        rows.features[chosen],
        rows.changes[:, chosen],
        rows.extra_variances[:, chosen],
        rows.min_deviations[chosen],
    )
    return SharingPosterior.condition(of_task, params[chosen])


@dataclass(frozen=True, slots=True)
class _ScaledPrior:
    offsets: Array
    row_offsets: Array
    scale: float | None = None
    correlation: float | None = None


def _scaled_prior(
    change_by_plan: Mapping[SharingPlan, float] | None,
    changes: Array,
    row_plans: Sequence[SharingPlan],
    plans: Sequence[SharingPlan],
) -> _ScaledPrior:
    """Return a prior mean times its ridge coefficient; zeros without one, or if it is dropped."""
    none = _ScaledPrior(np.zeros(len(plans)), np.zeros(len(row_plans)))
    if change_by_plan is None:
        return none
    of_rows = np.array([change_by_plan.get(plan, 0.0) for plan in row_plans])
    is_measured = ~np.isnan(changes)
    is_known = np.array([plan in change_by_plan and plan.shares for plan in row_plans], dtype=bool)
    is_known &= is_measured
    correlation = None
    if is_known.sum() >= MIN_TRAININGS:
        correlation = rank_correlation(of_rows[is_known], changes[is_known])
        if correlation is None or correlation < MIN_CORRELATION:
            return replace(none, scale=0.0, correlation=correlation)
    sum_of_squares = float((of_rows[is_measured] ** 2).sum())
    if sum_of_squares == 0.0:
        return replace(none, scale=0.0, correlation=correlation)
    ridge = sum_of_squares / max(1, int(is_known.sum()))
    scale = max(0.0, float(of_rows[is_measured] @ changes[is_measured])) / (
        sum_of_squares + ridge
    )  # keeps the order
    of_plans = np.array([change_by_plan.get(plan, 0.0) for plan in plans])
    return _ScaledPrior(scale * of_plans, scale * of_rows, scale, correlation)


def rank_correlation(left: Array, right: Array) -> float | None:
    """Return the rank correlation; None if all values of one side are equal.

    Args:
        left: ``[n]`` values.
        right: ``[n]`` values.

    Returns:
        Spearman's coefficient, from -1 to 1.
    """
    if np.ptp(left) == 0.0 or np.ptp(right) == 0.0:
        return None
    from scipy.stats import rankdata  # half a second, which other commands do not need

    return float(np.corrcoef(rankdata(left), rankdata(right))[0, 1])
