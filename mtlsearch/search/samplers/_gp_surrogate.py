"""Surrogate model of sharing plans: one Gaussian process per task.

A task affects another one only in the units that both use. The effect of a plan on a task
therefore depends mainly on how many units the task shares with each other task: its *sharing
features*. Plans outnumber the distinct features of a task (7,556 plans of five tasks over six
units have at most 1,296), so each trial is informative for all tasks and many plans.

The relative change of a task is a Gaussian process over its features. The kernel is a convex
combination of two kernels: an additive one, with one term per other task, and a squared
exponential one, in which the other tasks interact. A constant has a wide prior. Each task has its
own signal variance and noise variance: the accuracy of one task may be noise where the depth of
another is not. They maximize the posterior over a grid with wide priors, as length scale and
additive fraction of all tasks do. Noise is at least the measured standard error of the changes.

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

LENGTH_SCALES = (2.0, 4.0, 8.0, 16.0)
ADDITIVE_FRACTIONS = (0.0, 0.5, 0.9)
NOISE_RATIOS = (1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Noise variances relative to the signal variance."""

MEDIAN_LENGTH_SCALE, MEDIAN_RATIO = 2.5, 0.1
"""Medians of the log-normal priors of length scale and of the noise ratio of all tasks."""

POOLED_WIDTH, TASK_WIDTH = 4.0, 2.0
"""Standard deviations of the log noise ratio: of all tasks, and of a task around all tasks."""

CONSTANT_VARIANCE = 4.0
"""Prior variance of a task's constant, relative to the signal variance."""


@dataclass(frozen=True, slots=True)
class TaskParams:
    """Hyperparameters of the Gaussian process of one task.

    Attributes:
        length_scale: length scale in shared units.
        additive_fraction: part of the signal variance that the additive kernel explains.
        signal_variance: variance of the changes between plans, in percent squared.
        noise_variance: variance between trainings of one plan, in percent squared.
    """

    length_scale: float
    additive_fraction: float
    signal_variance: float
    noise_variance: float


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Trainings as the surrogate sees them.

    Attributes:
        features: ``[T, n, T - 1]`` sharing features by task and training.
        changes: ``[n, T]`` changes in percent.
        extra_variances: ``[n, T]`` noise variance in percent squared that a training has more
            than a complete one; above 0 for paused trials.
        min_deviations: ``[T]`` lowest standard deviation of the noise, in percent.
    """

    features: SharingFeatures
    changes: Array
    extra_variances: Array
    min_deviations: Array

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
    """Count the units that tasks share.

    Args:
        plans: N plans of T tasks.

    Returns:
        ``[T, N, T - 1]``: units that each task shares with each other task, by plan.
    """
    rows = np.array([plan.rows for plan in plans])
    shared = (rows[:, :, :, None] == rows[:, :, None, :]).sum(axis=1)  # [N, T, T]
    num_tasks = shared.shape[1]
    return np.stack([np.delete(shared[:, task], task, axis=1) for task in range(num_tasks)])


def kernel(
    left: SharingFeatures, right: SharingFeatures, length_scale: float, additive_fraction: float
) -> Array:
    """Compute the prior correlation of a task's changes.

    Args:
        left: ``[L, F]`` features.
        right: ``[R, F]`` features.
        length_scale: length scale in shared units.
        additive_fraction: weight of the additive kernel, from 0 to 1.

    Returns:
        ``[L, R]`` correlations.
    """
    norms = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    # Matrix products in single precision: a proposal spends most of its time here.
    products = left.astype(np.float32) @ right.T.astype(np.float32)
    distances = norms.astype(np.float32) - np.float32(2.0) * products
    correlation = (1.0 - additive_fraction) * np.exp(distances * np.float32(-0.5 / length_scale**2))
    if additive_fraction > 0.0:
        counts = np.arange(int(max(left.max(initial=0), right.max(initial=0))) + 1)
        count_kernel = np.exp(-0.5 * ((counts[:, None] - counts) / length_scale) ** 2)
        smooth = count_kernel[left].reshape(len(left), -1)
        one_hot = np.eye(len(counts))[right].reshape(len(right), -1)
        correlation = correlation + additive_fraction / left.shape[1] * (smooth @ one_hot.T)
    return np.asarray(correlation, dtype=float)


def fit_tasks(rows: TrainingRows) -> tuple[TaskParams, ...]:
    """Choose the hyperparameters with the highest posterior density on a grid.

    The signal variance of a task has a scaled inverse chi-squared prior, by which it is integrated
    out. A task has few trainings of its own, so its noise is drawn toward that of all tasks.

    Args:
        rows: complete trainings; a plan may occur several times.

    Returns:
        Hyperparameters by task.
    """
    pairs = list(product(LENGTH_SCALES, ADDITIVE_FRACTIONS))
    evidence, variances = zip(
        *(_log_likelihoods(rows, length_scale, fraction) for length_scale, fraction in pairs),
        strict=True,
    )
    densities = np.array(evidence)  # [P, T, K]
    prior = np.array([-0.5 * math.log(scale / MEDIAN_LENGTH_SCALE) ** 2 for scale, _ in pairs])
    log_ratios = np.log(np.array(NOISE_RATIOS))
    pooled_prior = -0.5 * ((log_ratios - math.log(MEDIAN_RATIO)) / POOLED_WIDTH) ** 2
    pooled = densities.sum(axis=1) + prior[:, None] + pooled_prior
    pooled_log_ratio = log_ratios[int(pooled.max(axis=0).argmax())]
    densities = densities - 0.5 * ((log_ratios - pooled_log_ratio) / TASK_WIDTH) ** 2
    # Less noise than the lowest one is excluded; the largest ratio stands for more noise than that.
    is_below = (
        np.array(variances) * np.array(NOISE_RATIOS) < (rows.min_deviations**2)[None, :, None]
    )
    is_below[:, :, -1] = False
    densities = np.where(is_below, -math.inf, densities)
    best_pair = int((densities.max(axis=2).sum(axis=1) + prior).argmax())
    params = []
    for task, deviation in enumerate(rows.min_deviations):
        index = int(densities[best_pair, task].argmax())
        variance = float(variances[best_pair][task, index])
        noise = max(NOISE_RATIOS[index] * variance, float(deviation) ** 2)
        params.append(TaskParams(*pairs[best_pair], variance, noise))
    return tuple(params)


def _log_likelihoods(
    rows: TrainingRows, length_scale: float, additive_fraction: float
) -> tuple[Array, Array]:
    """Return log marginal likelihoods and signal variances by task and noise ratio, [T, K]."""
    ratios, count = np.array(NOISE_RATIOS), len(rows.changes)
    densities, variances = [], []
    for task, features in enumerate(rows.features):
        changes = rows.changes[:, task]
        scale = float(changes.var()) + 1e-6
        covariance = CONSTANT_VARIANCE + kernel(features, features, length_scale, additive_fraction)
        eigenvalues, eigenvectors = np.linalg.eigh(covariance)
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
        factors: Cholesky factor ``[n, n]`` of the covariance of the trainings, by task.
        weights: whitened changes ``[n]`` by task.
    """

    params: tuple[TaskParams, ...]
    rows: TrainingRows
    factors: tuple[Array, ...]
    weights: tuple[Array, ...]

    @classmethod
    def condition(cls, rows: TrainingRows, params: Sequence[TaskParams]) -> SharingPosterior:
        """Compute the posterior.

        Args:
            rows: the trainings.
            params: hyperparameters by task.

        Returns:
            The posterior.
        """
        factors, weights = [], []
        for task, of_task in enumerate(params):
            features = rows.features[task]
            noise = of_task.noise_variance + rows.extra_variances[:, task]
            covariance = _covariance(features, features, of_task) + np.diag(noise)
            jitter = 1e-9 * of_task.signal_variance * np.eye(len(noise))
            factor = np.asarray(np.linalg.cholesky(covariance + jitter), dtype=float)
            factors.append(factor)
            weights.append(_solve(factor, rows.changes[:, task]))
        return cls(tuple(params), rows, tuple(factors), tuple(weights))

    @property
    def noise_variance(self) -> float:
        """Variance of Δm between complete trainings of one plan, in percent squared."""
        num_tasks = len(self.params)
        return sum(params.noise_variance for params in self.params) / num_tasks**2

    def moments(self, task: int, features: SharingFeatures) -> tuple[Array, Array]:
        """Return mean and variance of a task's change.

        Args:
            task: index of the task.
            features: ``[A, T - 1]`` features to predict.

        Returns:
            Mean ``[A]`` in percent and variance ``[A]``.
        """
        params = self.params[task]
        whitened = self._whiten(task, features)
        prior = params.signal_variance * (1.0 + CONSTANT_VARIANCE)
        variance = prior - np.einsum("na,na->a", whitened, whitened)
        return self.weights[task] @ whitened, np.maximum(variance, 1e-9 * prior)

    def mean(self, features: SharingFeatures) -> Array:
        """Return the mean of Δm.

        Args:
            features: ``[T, A, T - 1]`` features of the plans.

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
            left: ``[T, L, T - 1]`` features.
            right: ``[T, R, T - 1]`` features.

        Returns:
            ``[L, R]`` in percent squared.
        """
        num_tasks = len(self.params)
        total = np.zeros((left.shape[1], right.shape[1]))
        for task, params in enumerate(self.params):
            prior = _covariance(left[task], right[task], params)
            total += prior - self._whiten(task, left[task]).T @ self._whiten(task, right[task])
        return total / num_tasks**2

    def _whiten(self, task: int, features: SharingFeatures) -> Array:
        cross = _covariance(self.rows.features[task], features, self.params[task])
        return _solve(self.factors[task], cross)


def _covariance(left: SharingFeatures, right: SharingFeatures, params: TaskParams) -> Array:
    correlation = kernel(left, right, params.length_scale, params.additive_fraction)
    return params.signal_variance * (CONSTANT_VARIANCE + correlation)


def _solve(factor: Array, values: Array) -> Array:
    solution = solve_triangular(factor, values, lower=True, check_finite=False)
    return np.asarray(solution, dtype=float)
