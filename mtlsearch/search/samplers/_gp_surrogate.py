"""Surrogate model of sharing plans: one Gaussian process per task.

A task affects another one only in the units that both use. So the effect of a plan on a task
depends mainly on its group in each unit: its *sharing features*. Plans outnumber the distinct
features of a task (7,556 plans of five tasks over six units have at most 1,296), so each trial is
informative for all tasks and many plans.

The relative change of a task is a Gaussian process over its features: a sum over units of the
effect of its group there. Effects are more similar if groups differ by fewer tasks and units are
closer to each other. A constant has a wide prior. Each task has its own signal variance and noise
variance: the accuracy of one task may be noise where the depth of another is not. They maximize
the posterior over a grid with wide priors. Noise is at least the measured standard error of the
changes.

An observation is one training. The second seed of a plan is a further observation of the same
features. So is a paused trial, whose extrapolated changes have a larger noise variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from mtlsearch.plan import SharingPlan

Array = NDArray[np.float64]
SharingFeatures = NDArray[np.int64]

GROUP_CORRELATIONS = (0.7, 0.85, 0.95)
"""Prior correlations between the effects of two groups that differ by one task."""

UNIT_DISTANCES = (2.0, 6.0)
"""Distances in units at which the prior correlation of effects decreases to 1/e."""

SPREAD = 0.15
"""Variance of the sum between plans, relative to its variance; about equal for 3 to 5 tasks."""

NOISE_RATIOS = (1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Noise variances relative to the signal variance."""

MEDIAN_RATIO, POOLED_WIDTH, TASK_WIDTH = 1.0, 2.0, 2.0
"""Median of the noise ratio of all tasks, standard deviation of its logarithm, and that of a task
around all tasks."""

CONSTANT_VARIANCE = 4.0
"""Prior variance of a task's constant, relative to the signal variance."""


@dataclass(frozen=True, slots=True)
class TaskParams:
    """Hyperparameters of the Gaussian process of one task.

    Attributes:
        group_correlation: correlation between the effects of groups that differ by one task.
        unit_distance: distance in units at which the correlation of effects decreases to 1/e.
        signal_variance: variance of the changes between plans, in percent squared.
        noise_variance: variance between trainings of one plan, in percent squared.
    """

    group_correlation: float
    unit_distance: float
    signal_variance: float
    noise_variance: float


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Trainings as the surrogate sees them.

    Attributes:
        features: ``[T, n, U]`` sharing features by task and training.
        changes: ``[n, T]`` changes in percent; NaN where a task was not measured.
        extra_variances: ``[n, T]`` noise variance in percent squared that a training has more
            than a complete one; above 0 for paused trials.
        min_deviations: ``[T]`` lowest standard deviation of the noise, in percent.
    """

    features: SharingFeatures
    changes: Array
    extra_variances: Array
    min_deviations: Array

    def of_task(self, task: int) -> tuple[SharingFeatures, Array, Array]:
        """Return the trainings that measured a task.

        Args:
            task: index of the task.

        Returns:
            Features ``[m, U]``, changes ``[m]`` and extra variances ``[m]``.
        """
        is_measured = ~np.isnan(self.changes[:, task])
        return (
            self.features[task][is_measured],
            self.changes[is_measured, task],
            self.extra_variances[is_measured, task],
        )

    def first(self, count: int) -> TrainingRows:
        """Return the first complete trainings.

        Args:
            count: maximum number of trainings.

        Returns:
            The trainings.
        """
        chosen = np.flatnonzero((self.extra_variances == 0.0).all(axis=1))[:count]
        return TrainingRows(
            self.features[:, chosen],
            self.changes[chosen],
            self.extra_variances[chosen],
            self.min_deviations,
        )


def sharing_features(plans: Sequence[SharingPlan]) -> SharingFeatures:
    """Return with which other tasks each task shares each unit.

    Args:
        plans: N plans of T tasks over U units.

    Returns:
        ``[T, N, U]``: sum of ``2 ** index`` over the other tasks of the group, by task, plan and
        unit.
    """
    rows = np.array([plan.rows for plan in plans])
    shares = rows[:, :, :, None] == rows[:, :, None, :]  # [N, U, T, T]
    powers = np.left_shift(1, np.arange(shares.shape[2]))
    return np.asarray((shares @ powers - powers).transpose(2, 0, 1))


def kernel(
    left: SharingFeatures, right: SharingFeatures, group_correlation: float, unit_distance: float
) -> Array:
    """Compute the prior covariance of a task's changes, with a spread of about 1 between plans.

    Args:
        left: ``[L, U]`` features.
        right: ``[R, U]`` features.
        group_correlation: correlation between the effects of groups that differ by one task.
        unit_distance: distance in units at which the correlation of effects decreases to 1/e.

    Returns:
        ``[L, R]`` covariances.
    """
    if len(left) > len(right):
        return kernel(right, left, group_correlation, unit_distance).T
    groups, index = np.unique(np.concatenate([left, right]), return_inverse=True)
    index = index.reshape(-1, left.shape[1])
    correlation = _correlation(groups, group_correlation)
    weights = _weights(left.shape[1], unit_distance)
    # Effect of each group in each unit, given the groups of the left plan in all units.
    effects = np.tensordot(correlation[index[: len(left)]], weights, axes=(1, 0))  # [L, G, U]
    total = np.zeros((len(left), len(right)))
    for unit in range(left.shape[1]):
        total += effects[:, :, unit].take(index[len(left) :, unit], axis=1)
    return total


def kernel_diagonal(
    features: SharingFeatures, group_correlation: float, unit_distance: float
) -> Array:
    """Compute the prior variance of a task's changes.

    Args:
        features: ``[A, U]`` features.
        group_correlation: as for :func:`kernel`.
        unit_distance: as for :func:`kernel`.

    Returns:
        ``[A]``: the diagonal of :func:`kernel`.
    """
    groups, index = np.unique(features, return_inverse=True)
    index = index.reshape(features.shape)
    correlation = _correlation(groups, group_correlation)
    weights = _weights(features.shape[1], unit_distance)
    products = correlation[index[:, :, None], index[:, None, :]] * weights  # [A, U, U]
    return np.asarray(products.sum(axis=(1, 2)), dtype=float)


def _correlation(groups: NDArray[np.int64], group_correlation: float) -> Array:
    """Return the prior correlation of the effects of groups in one unit, ``[G, G]``."""
    differing = np.bitwise_count(groups[:, None] ^ groups)
    return np.asarray(group_correlation**differing, dtype=float)


def _weights(num_units: int, unit_distance: float) -> Array:
    """Return the prior covariance of the effects of one group in all units, ``[U, U]``."""
    units = np.arange(num_units)
    weights = np.exp(-np.abs(units[:, None] - units) / unit_distance)
    return np.asarray(weights / (SPREAD * weights.sum()), dtype=float)


def fit_tasks(rows: TrainingRows) -> tuple[TaskParams, ...]:
    """Choose the hyperparameters with the highest posterior density on a grid.

    The signal variance of a task has a scaled inverse chi-squared prior, by which it is integrated
    out. A task has few trainings of its own, so its noise is drawn toward that of all tasks.

    Args:
        rows: complete trainings; a plan may occur several times.

    Returns:
        Hyperparameters by task.
    """
    pairs = list(product(GROUP_CORRELATIONS, UNIT_DISTANCES))
    evidence, scales = zip(*(_log_likelihoods(rows, *pair) for pair in pairs), strict=True)
    densities, variances = np.array(evidence), np.array(scales)  # [P, T, K]
    ratios = np.array(NOISE_RATIOS)
    log_ratios = np.log(ratios)
    prior = -0.5 * ((log_ratios - math.log(MEDIAN_RATIO)) / POOLED_WIDTH) ** 2
    pooled = (densities.sum(axis=1) + prior).max(axis=0)
    pooled_log_ratio = log_ratios[int(pooled.argmax())]
    densities = densities - 0.5 * ((log_ratios - pooled_log_ratio) / TASK_WIDTH) ** 2
    # Less noise than the lowest one is excluded; the largest ratio stands for more noise than that.
    is_below = variances * ratios < (rows.min_deviations**2)[None, :, None]
    is_below[:, :, -1] = False
    densities = np.where(is_below, -math.inf, densities)
    best_pair = int(densities.max(axis=2).sum(axis=1).argmax())
    params = []
    for task, deviation in enumerate(rows.min_deviations):
        index = int(densities[best_pair, task].argmax())
        variance = float(variances[best_pair, task, index])
        noise = max(NOISE_RATIOS[index] * variance, float(deviation) ** 2)
        params.append(TaskParams(*pairs[best_pair], variance, noise))
    return tuple(params)


def _log_likelihoods(
    rows: TrainingRows, group_correlation: float, unit_distance: float
) -> tuple[Array, Array]:
    """Return log marginal likelihoods and signal variances by task and noise ratio, [T, K]."""
    ratios = np.array(NOISE_RATIOS)
    densities, variances = [], []
    for task in range(len(rows.features)):
        features, changes, _ = rows.of_task(task)
        count = len(changes)
        scale = float(changes.var()) + 1e-6
        covariance = kernel(features, features, group_correlation, unit_distance)
        eigenvalues, eigenvectors = np.linalg.eigh(CONSTANT_VARIANCE + covariance)
        spectrum = np.maximum(eigenvalues, 0.0)[None, :] + ratios[:, None]
        squares = (eigenvectors.T @ changes) ** 2 / spectrum
        variance = (squares.sum(axis=1) + scale) / (count + 1)
        densities.append(-0.5 * ((count + 1) * np.log(variance) + np.log(spectrum).sum(axis=1)))
        variances.append(variance)
    return np.array(densities), np.array(variances)


@dataclass(frozen=True, slots=True)
class SharingPosterior:
    """Joint posterior of Δm over plans, without the noise of trainings.

    Attributes:
        params: hyperparameters by task.
        rows: the trainings.
        observed: ``[m, U]`` features of the observations, by task.
        factors: Cholesky factor ``[m, m]`` of the covariance of the observations, by task.
        weights: whitened changes ``[m]`` by task.
    """

    params: tuple[TaskParams, ...]
    rows: TrainingRows
    observed: tuple[SharingFeatures, ...]
    factors: tuple[Array, ...]
    weights: tuple[Array, ...]

    @classmethod
    def condition(
        cls, rows: TrainingRows, params: Sequence[TaskParams], *, merge: bool = False
    ) -> SharingPosterior:
        """Compute the posterior.

        Args:
            rows: the trainings.
            params: hyperparameters by task.
            merge: whether trainings with equal features become one observation, their mean
                weighted by precision. The posterior is the same, for less time.

        Returns:
            The posterior.
        """
        observed, factors, weights = [], [], []
        for task, of_task in enumerate(params):
            features, changes, extra_variances = rows.of_task(task)
            noise = of_task.noise_variance + extra_variances
            if merge:
                features, changes, noise = _merged(features, changes, noise)
            observed.append(features)
            covariance = _covariance(features, features, of_task) + np.diag(noise)
            jitter = 1e-9 * of_task.signal_variance * np.eye(len(noise))
            factor = np.asarray(np.linalg.cholesky(covariance + jitter), dtype=float)
            factors.append(factor)
            weights.append(_solve(factor, changes))
        return cls(tuple(params), rows, tuple(observed), tuple(factors), tuple(weights))

    @property
    def noise_variance(self) -> float:
        """Variance of Δm between complete trainings of one plan, in percent squared."""
        num_tasks = len(self.params)
        return sum(params.noise_variance for params in self.params) / num_tasks**2

    def moments(self, task: int, features: SharingFeatures) -> tuple[Array, Array]:
        """Return mean and variance of a task's change.

        Args:
            task: index of the task.
            features: ``[A, U]`` features to predict.

        Returns:
            Mean ``[A]`` in percent and variance ``[A]``.
        """
        params = self.params[task]
        whitened = self._whiten(task, features)
        diagonal = kernel_diagonal(features, params.group_correlation, params.unit_distance)
        prior = params.signal_variance * (CONSTANT_VARIANCE + diagonal)
        variance = prior - np.einsum("na,na->a", whitened, whitened)
        return self.weights[task] @ whitened, np.maximum(variance, 1e-9 * prior)

    def differences(
        self, task: int, features: SharingFeatures, winner: SharingFeatures
    ) -> tuple[Array, Array]:
        """Return mean and variance of a task's change minus that of one plan.

        Args:
            task: index of the task.
            features: ``[A, U]`` features to predict.
            winner: ``[1, U]`` features of the plan.

        Returns:
            Mean ``[A]`` in percent and variance ``[A]``.
        """
        params = self.params[task]
        whitened, of_winner = self._whiten(task, features), self._whiten(task, winner)
        pair = params.group_correlation, params.unit_distance
        prior = kernel_diagonal(features, *pair) + kernel_diagonal(winner, *pair)
        prior = prior - 2.0 * kernel(features, winner, *pair)[:, 0]
        whitened = whitened - of_winner
        variance = params.signal_variance * prior - np.einsum("na,na->a", whitened, whitened)
        lowest = 1e-9 * params.signal_variance
        return self.weights[task] @ whitened, np.maximum(variance, lowest)

    def mean(self, features: SharingFeatures) -> Array:
        """Return the mean of Δm.

        Args:
            features: ``[T, A, U]`` features of the plans.

        Returns:
            ``[A]`` in percent.
        """
        num_tasks = len(self.params)
        parts = [
            self.weights[task] @ self._whiten(task, features[task]) for task in range(num_tasks)
        ]
        return np.asarray(sum(parts) / num_tasks)

    def covariance(self, left: SharingFeatures, right: SharingFeatures) -> Array:
        """Return the covariance of Δm between plans.

        Args:
            left: ``[T, L, U]`` features.
            right: ``[T, R, U]`` features.

        Returns:
            ``[L, R]`` in percent squared.
        """
        num_tasks = len(self.params)
        total = np.zeros((left.shape[1], right.shape[1]))
        for task, params in enumerate(self.params):
            prior = _covariance(left[task], right[task], params)
            total += prior - self._whiten(task, left[task]).T @ self._whiten(task, right[task])
        return total / num_tasks**2

    def variance(self, features: SharingFeatures) -> Array:
        """Return the variance of Δm.

        Args:
            features: ``[T, A, U]`` features of the plans.

        Returns:
            ``[A]`` in percent squared: the diagonal of :meth:`covariance`.
        """
        num_tasks = len(self.params)
        parts = [self.moments(task, features[task])[1] for task in range(num_tasks)]
        return np.asarray(sum(parts) / num_tasks**2)

    def _whiten(self, task: int, features: SharingFeatures) -> Array:
        cross = _covariance(self.observed[task], features, self.params[task])
        return _solve(self.factors[task], cross)


def _merged(
    features: SharingFeatures, changes: Array, noise: Array
) -> tuple[SharingFeatures, Array, Array]:
    unique, index = np.unique(features, axis=0, return_inverse=True)
    index = index.reshape(-1)
    precision = np.bincount(index, weights=1.0 / noise)
    means = np.bincount(index, weights=changes / noise) / precision
    return unique, means, 1.0 / precision


def _covariance(left: SharingFeatures, right: SharingFeatures, params: TaskParams) -> Array:
    correlation = kernel(left, right, params.group_correlation, params.unit_distance)
    return params.signal_variance * (CONSTANT_VARIANCE + correlation)


def _solve(factor: Array, values: Array) -> Array:
    solution = solve_triangular(factor, values, lower=True, check_finite=False)
    return np.asarray(solution, dtype=float)
