"""Surrogate model of sharing plans: one Gaussian process per task.

A task affects another one only in the units that both use. The effect of a plan on a task
therefore depends mainly on how many units the task shares with each other task: its *sharing
features*. Plans outnumber the distinct features of a task (7,556 plans of five tasks over six
units have at most 1,296), so each trial is informative for all tasks and many plans.

The relative change of a task is a Gaussian process over its features. The kernel is a convex
combination of two kernels: an additive one, with one term per other task, and a squared
exponential one, in which the other tasks interact. Length scale, additive fraction and noise
variance are the same for all tasks and maximize the posterior over a grid. Each task has its
own mean, and its own signal variance, which is integrated out.
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

LENGTH_SCALES = (1.0, 2.0, 4.0, 8.0)
ADDITIVE_FRACTIONS = (0.0, 0.5, 0.9)
NOISE_VARIANCES = (1e-3, 1e-2, 1e-1, 0.5, 2.0)


@dataclass(frozen=True, slots=True)
class KernelParams:
    """Hyperparameters of the Gaussian processes.

    Attributes:
        length_scale: length scale in shared units.
        additive_fraction: part of the signal variance that the additive kernel explains.
        noise_variance: variance of the observation noise, relative to the signal variance.
    """

    length_scale: float
    additive_fraction: float
    noise_variance: float

    @property
    def log_prior(self) -> float:
        """Log prior density, up to a constant: log-normal in length scale and noise variance."""
        median_length_scale, median_noise_variance = 2.5, 1e-2
        return -0.5 * (
            math.log(self.length_scale / median_length_scale) ** 2
            + (math.log(self.noise_variance / median_noise_variance) / 4.0) ** 2
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


def fit_kernel(features: SharingFeatures, changes: Array) -> KernelParams:
    """Choose the kernel parameters with the highest posterior density on a grid.

    Args:
        features: ``[T, n, T - 1]`` features of the observed plans.
        changes: ``[n, T]`` observed changes, in percent.

    Returns:
        The kernel parameters.
    """
    variance = prior_variance(changes)
    noise_variances = np.array(NOISE_VARIANCES)
    best_density = -math.inf
    best = KernelParams(LENGTH_SCALES[0], ADDITIVE_FRACTIONS[0], NOISE_VARIANCES[0])
    for length_scale, additive_fraction in product(LENGTH_SCALES, ADDITIVE_FRACTIONS):
        log_likelihoods = sum(
            log_marginal_likelihood(
                kernel(task_features, task_features, length_scale, additive_fraction),
                changes[:, task],
                variance,
                noise_variances,
            )
            for task, task_features in enumerate(features)
        )
        for noise_variance, log_likelihood in zip(
            NOISE_VARIANCES, np.atleast_1d(log_likelihoods), strict=True
        ):
            params = KernelParams(length_scale, additive_fraction, noise_variance)
            if params.log_prior + log_likelihood > best_density:
                best_density, best = params.log_prior + float(log_likelihood), params
    return best


def log_marginal_likelihood(
    correlation: Array, changes: Array, variance: float, noise_variances: Array
) -> Array:
    """Compute the log marginal likelihood of a task's changes, up to a constant.

    The signal variance is integrated out under a scaled inverse chi-squared prior.

    Args:
        correlation: ``[n, n]`` prior correlation of the changes.
        changes: ``[n]`` observed changes, in percent.
        variance: scale of the prior of the signal variance.
        noise_variances: ``[K]`` noise variances.

    Returns:
        ``[K]`` log likelihoods.
    """
    eigenvalues, eigenvectors = np.linalg.eigh(correlation)
    projections = (eigenvectors.T @ (changes - changes.mean())) ** 2
    spectrum = np.maximum(eigenvalues, 0.0)[None, :] + noise_variances[:, None]
    signal_variance = ((projections / spectrum).sum(axis=1) + variance) / (len(changes) + 1)
    log_likelihood = -(len(changes) + 1) * np.log(signal_variance) - np.log(spectrum).sum(axis=1)
    return np.asarray(0.5 * log_likelihood)


def posterior(
    features: SharingFeatures,
    changes: Array,
    candidates: Sequence[SharingFeatures],
    params: KernelParams,
) -> list[tuple[Array, Array]]:
    """Compute posterior mean and variance of each task's change, without noise.

    Args:
        features: ``[T, n, T - 1]`` features of the observed plans.
        changes: ``[n, T]`` observed changes, in percent.
        candidates: ``[A_t, T - 1]`` features to predict, by task.
        params: the kernel parameters.

    Returns:
        Mean ``[A_t]`` and variance ``[A_t]`` by task.
    """
    variance = prior_variance(changes)
    length_scale, additive_fraction = params.length_scale, params.additive_fraction
    predictions = []
    for task, (observed, wanted) in enumerate(zip(features, candidates, strict=True)):
        correlation = kernel(observed, observed, length_scale, additive_fraction)
        factor = np.linalg.cholesky(correlation + params.noise_variance * np.eye(len(observed)))
        mean = float(changes[:, task].mean())
        residuals = solve_triangular(
            factor, changes[:, task] - mean, lower=True, check_finite=False
        )
        cross = kernel(observed, wanted, length_scale, additive_fraction)
        whitened = solve_triangular(factor, cross, lower=True, check_finite=False)
        reduction = np.einsum("na,na->a", whitened, whitened)
        remaining = np.maximum(1e-9, 1.0 - reduction)
        signal_variance = (float(residuals @ residuals) + variance) / (len(observed) + 1)
        predictions.append((mean + residuals @ whitened, signal_variance * remaining))
    return predictions


def prior_variance(changes: Array) -> float:
    """Compute the variance of changes around the means of their tasks.

    It is the scale of the prior of each task's signal variance, so that a task with few
    observations is not predicted with certainty.

    Args:
        changes: ``[n, T]`` observed changes, in percent.

    Returns:
        The variance, above 0.
    """
    return float((changes - changes.mean(axis=0)).var()) + 1e-6
