"""Sharing GP sampler: compares all plans of an enumerable space before each trial.

The run file selects it by ``auto``. The sampler ``gp`` is Optuna's ``GPSampler``, which models
the params of the space instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

from mtlsearch.plugin import Candidate
from mtlsearch.search.samplers._gp_surrogate import (
    Array,
    KernelParams,
    SharingFeatures,
    fit_kernel,
    posterior,
    sharing_features,
)
from mtlsearch.search.samplers._observations import Observation
from mtlsearch.search.space import CandidateSpace, Proposal, proposal_of

N_STARTUP = 1
"""Random proposals after the baselines, before the surrogate is used."""

MAX_OBSERVATIONS = 150
"""Observations that the surrogate uses: half of them the first ones, half the best others."""

REFITS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
"""Numbers of observations at which the kernel parameters are fitted, to these observations."""


class SharingGPSampler:
    """Gaussian-process sampler over the sharing features of plans.

    It proposes the plan with the largest expected improvement of Δm.

    Args:
        space: the candidate space.
        candidates: all candidates of the space: trees with the same number of units, each once.
    """

    def __init__(self, space: CandidateSpace, candidates: Sequence[Candidate]) -> None:
        self._space = space
        self._candidates = candidates
        self._index_by_digest = {
            candidate.digest: index for index, candidate in enumerate(candidates)
        }
        features = sharing_features([candidate.plan for candidate in candidates])
        # Many plans have equal features of a task. The posterior is computed once for each.
        unique = [np.unique(of_task, axis=0, return_inverse=True) for of_task in features]
        self._unique_features: list[SharingFeatures] = [rows for rows, _ in unique]
        self._unique_index = [inverse.reshape(-1) for _, inverse in unique]
        self._kernel_params: dict[bytes, KernelParams] = {}

    @classmethod
    def for_space(cls, space: CandidateSpace) -> SharingGPSampler | None:
        """Create a sampler if the candidates are enumerable trees that differ in the plan only.

        Args:
            space: the candidate space.

        Returns:
            The sampler; None for other spaces and for a single task.
        """
        candidates = space.enumerate()
        if not candidates or len(space.tasks) < 2 or len(space.backbones) > 1:
            return None
        plans = {candidate.plan for candidate in candidates}
        if len(plans) < len(candidates) or not all(plan.is_tree for plan in plans):
            return None
        return cls(space, candidates)

    def propose(self, observations: Sequence[Observation], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        is_free = np.ones(len(self._candidates), dtype=bool)
        is_free[self._indices_of(observations)] = False
        if not is_free.any():
            return None
        rng = np.random.default_rng([seed, len(observations)])
        # Random numbers order candidates with equal expected improvement.
        scores = rng.random(len(is_free))
        usable = [observation for observation in observations if observation.changes is not None]
        num_proposed = sum(observation.proposal.baseline is None for observation in usable)
        if num_proposed >= N_STARTUP:
            improvement = self.log_expected_improvement(usable)
            is_best = improvement >= improvement[is_free].max() - 1e-9
            scores = np.where(is_best, scores, -1.0)
        scores[~is_free] = -2.0
        return proposal_of(self._space, self._candidates[int(scores.argmax())])

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
        features = _features_of([observations[index] for index in indices])
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

    def _indices_of(self, observations: Sequence[Observation]) -> list[int]:
        return [
            self._index_by_digest[observation.digest]
            for observation in observations
            if observation.digest in self._index_by_digest
        ]

    def _fit(self, observations: Sequence[Observation]) -> KernelParams:
        """Return the kernel parameters, the same ones before and after a resume."""
        num_used = max(
            (count for count in REFITS if count <= len(observations)), default=len(observations)
        )
        used = observations[:num_used]
        features, changes = _features_of(used), self._changes(used)
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


def _features_of(observations: Sequence[Observation]) -> SharingFeatures:
    return sharing_features([observation.proposal.candidate.plan for observation in observations])


def _select_observations(values: Array) -> NDArray[np.intp]:
    """Return the indices of the first observations and of the best later ones."""
    if len(values) <= MAX_OBSERVATIONS:
        return np.arange(len(values))
    half = MAX_OBSERVATIONS // 2
    best_later = half + np.argsort(-values[half:], kind="stable")[: MAX_OBSERVATIONS - half]
    return np.concatenate([np.arange(half), best_later])


def log_improvement(score: Array) -> Array:
    """Compute ``log E[max(0, z + score)]`` of a standard normal ``z``, accurate far below 0.

    Args:
        score: standardized differences to the best value.

    Returns:
        Array of the same shape.
    """
    positive, negative = np.maximum(score, 0.0), np.minimum(score, 0.0)
    log_density = -0.5 * np.log(2.0 * np.pi) - 0.5 * score**2
    above = np.log(np.exp(-0.5 * positive**2) / np.sqrt(2.0 * np.pi) + positive * ndtr(positive))
    # Dividing by the density keeps the difference of two nearly equal terms accurate. Below
    # -1e5 it is not, and the density alone determines the result.
    clipped = np.maximum(negative, -1e5)
    below = log_density + np.log1p(clipped * np.sqrt(np.pi / 2.0) * erfcx(-clipped / np.sqrt(2.0)))
    return np.asarray(np.where(score > 0.0, above, below))
