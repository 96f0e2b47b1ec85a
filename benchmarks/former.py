"""The default sampler of version 0.9, frozen for comparison: one noise for all tasks.

It proposes by expected improvement over the best measurement. ``named.py`` compares searches that
name the highest measurement after its proposals with the current default.
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
from mtlsearch.plugin import Candidate
from mtlsearch.search import CandidateSpace
from mtlsearch.search.samplers import Observation, log_improvement
from mtlsearch.search.samplers._sharing_gp import SharingGPSampler

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


def shared_units(plans: Sequence[SharingPlan]) -> SharingFeatures:
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


MAX_OBSERVATIONS = 150
"""Observations that the surrogate uses: half of them the first ones, half the best others."""

REFITS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
"""Numbers of observations at which the kernel parameters are fitted, to these observations."""


class FormerSampler(SharingGPSampler):
    """Gaussian-process sampler whose expected improvement is over the best measurement.

    Only the surrogate and the improvement are frozen; plans are chosen by them as today.

    Args:
        space: the candidate space.
        candidates: all candidates of the space: trees with the same number of units, each once.
    """

    def __init__(self, space: CandidateSpace, candidates: Sequence[Candidate]) -> None:
        super().__init__(space, candidates)
        unique = [
            np.unique(of_task, axis=0, return_inverse=True)
            for of_task in shared_units([candidate.plan for candidate in candidates])
        ]
        self._unique_features = [rows for rows, _ in unique]
        self._unique_index = [inverse.reshape(-1) for _, inverse in unique]
        self._kernel_params: dict[bytes, KernelParams] = {}

    def log_expected_improvement(self, observations: Sequence[Observation]) -> Array:
        """Compute the log expected improvement of Δm of every candidate.

        Args:
            observations: trials with changes.

        Returns:
            ``[N]`` log of the expected improvement over the best trial within the limits.
        """
        params = self._fit(observations)
        changes = self._changes(observations)
        values = changes.mean(axis=1)
        indices = _select_observations(values)
        features = shared_units_of([observations[index] for index in indices])
        means, variances = zip(
            *posterior(features, changes[indices], self._unique_features, params), strict=True
        )
        num_tasks = len(means)
        mean = (
            sum(
                task_mean[index] for task_mean, index in zip(means, self._unique_index, strict=True)
            )
            / num_tasks
        )
        variance = sum(
            task_variance[index]
            for task_variance, index in zip(variances, self._unique_index, strict=True)
        )
        deviation = np.sqrt(variance) / num_tasks
        feasible_values = [
            value
            for value, observation in zip(values, observations, strict=True)
            if not observation.over_limits
        ]
        score = (mean - max(feasible_values, default=values.max())) / deviation
        return np.asarray(np.log(deviation) + log_improvement(score))

    def _fit(self, observations: Sequence[Observation]) -> KernelParams:
        """Return the kernel parameters, the same ones before and after a resume."""
        num_used = max(
            (count for count in REFITS if count <= len(observations)), default=len(observations)
        )
        used = observations[:num_used]
        features, changes = shared_units_of(used), self._changes(used)
        # The extrapolated changes of a paused trial differ between proposals.
        key = features.tobytes() + changes.tobytes()
        if key not in self._kernel_params:
            self._kernel_params = {key: fit_kernel(features, changes)}
        return self._kernel_params[key]

    def _changes(self, observations: Sequence[Observation]) -> Array:
        """Return the changes ``[n, T]``, tasks sorted by name."""
        return np.array(
            [
                [observation.changes[task] for task in self._space.tasks]
                for observation in observations
                if observation.changes is not None
            ]
        )


def shared_units_of(observations: Sequence[Observation]) -> SharingFeatures:
    """Return the shared units of the plans of some trials, ``[T, n, T - 1]``."""
    return shared_units([observation.proposal.candidate.plan for observation in observations])


def _select_observations(values: Array) -> NDArray[np.intp]:
    """Return the indices of the first observations and of the best later ones."""
    if len(values) <= MAX_OBSERVATIONS:
        return np.arange(len(values))
    half = MAX_OBSERVATIONS // 2
    best_later = half + np.argsort(-values[half:], kind="stable")[: MAX_OBSERVATIONS - half]
    return np.concatenate([np.arange(half), best_later])
