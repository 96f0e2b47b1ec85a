"""All plans ranked before each trial: the sampler for spaces that can be listed."""

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
    predict,
    sharing_features,
)
from mtlsearch.search.samplers._observations import Observation
from mtlsearch.search.space import CandidateSpace, Proposal, proposal_of

N_STARTUP = 1
"""Candidates drawn blindly, after the baselines, before the surrogate is asked."""

MAX_OBSERVATIONS = 150
"""Trials the surrogate looks at, so that deciding stays quick: the best half, the first half."""

REFITS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
"""With so many measured trials the surrogate's character is chosen anew, from those alone."""


class GPSampler:
    """Proposes the plan from which the surrogate expects the largest improvement.

    Args:
        space: what may be proposed.
        candidates: all of it; tree plans over one number of units, each of them once.
    """

    def __init__(self, space: CandidateSpace, candidates: Sequence[Candidate]) -> None:
        self._space = space
        self._candidates = candidates
        self._place = {candidate.digest: at for at, candidate in enumerate(candidates)}
        all_views = sharing_features([candidate.plan for candidate in candidates])
        pairs = [np.unique(at, axis=0, return_inverse=True) for at in all_views]
        self._distinct: list[SharingFeatures] = [distinct for distinct, _ in pairs]
        self._view_of = [inverse.reshape(-1) for _, inverse in pairs]
        self._characters: dict[bytes, KernelParams] = {}

    @classmethod
    def of(cls, space: CandidateSpace) -> GPSampler | None:
        """For a space whose candidates are few tree plans of two tasks or more; else None.

        None, too, where they differ in more than the plan: the surrogate sees nothing else.
        """
        candidates = space.listed()
        if not candidates or len(space.tasks) < 2 or len(space.backbones) > 1:
            return None
        plans = {candidate.plan for candidate in candidates}
        plain = len(plans) == len(candidates) and all(plan.is_tree for plan in plans)
        return cls(space, candidates) if plain else None

    def propose(self, tried: Sequence[Observation], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        free = np.ones(len(self._candidates), dtype=bool)
        free[[self._place[trial.digest] for trial in tried if trial.digest in self._place]] = False
        if not free.any():
            return None
        chance = np.random.default_rng([seed, len(tried)])
        # A draw decides between plans that promise the same.
        worth = chance.random(len(free))
        measured = [trial for trial in tried if trial.changes is not None]
        if sum(trial.proposal.baseline is None for trial in measured) >= N_STARTUP:
            promise = self.log_expected_improvement(measured)
            worth = np.where(promise >= promise[free].max() - 1e-9, worth, -1.0)
        worth[~free] = -2.0
        return proposal_of(self._space, self._candidates[int(worth.argmax())])

    def log_expected_improvement(self, measured: Sequence[Observation]) -> Array:
        """``[N]``: log of the improvement over the best so far that is to be expected."""
        character = self._character(measured)
        changes = self._changes(measured)
        values = changes.mean(axis=1)
        learnt = _worth_learning(values)
        seen = _views([measured[at] for at in learnt])
        means, variances = zip(
            *predict(seen, changes[learnt], self._distinct, character), strict=True
        )
        tasks = len(means)
        mean = sum(at[of] for at, of in zip(means, self._view_of, strict=True)) / tasks
        spread = sum(at[of] for at, of in zip(variances, self._view_of, strict=True))
        deviation = np.sqrt(spread) / tasks
        within = [value for value, at in zip(values, measured, strict=True) if not at.over_limits]
        score = (mean - max(within, default=values.max())) / deviation
        return np.asarray(np.log(deviation) + _log_improvement(score))

    def _character(self, measured: Sequence[Observation]) -> KernelParams:
        """Chosen from the first so many trials, and so the same after a stop and a new start."""
        count = max((at for at in REFITS if at <= len(measured)), default=len(measured))
        first = measured[:count]
        seen, changes = _views(first), self._changes(first)
        # What is known of a trial that was stopped early changes.
        key = seen.tobytes() + changes.tobytes()
        if key not in self._characters:
            self._characters = {key: fit_kernel(seen, changes)}
        return self._characters[key]

    def _changes(self, measured: Sequence[Observation]) -> Array:
        """``[n, T]``, tasks in order."""
        known = [trial.changes for trial in measured if trial.changes is not None]
        return np.array([[changes[task] for task in self._space.tasks] for changes in known])


def _views(measured: Sequence[Observation]) -> SharingFeatures:
    return sharing_features([trial.proposal.candidate.plan for trial in measured])


def _worth_learning(values: Array) -> NDArray[np.intp]:
    """The first trials and the best of the later ones, where there are too many."""
    half = MAX_OBSERVATIONS // 2
    if len(values) <= MAX_OBSERVATIONS:
        return np.arange(len(values))
    later = half + np.argsort(-values[half:], kind="stable")[: MAX_OBSERVATIONS - half]
    return np.concatenate([np.arange(half), later])


def _log_improvement(score: Array) -> Array:
    """Log of ``E[max(0, z + score)]`` of a standard normal ``z``, far below 0 too."""
    above, below = np.maximum(score, 0.0), np.minimum(score, 0.0)
    density = -0.5 * np.log(2.0 * np.pi) - 0.5 * score**2
    sure = np.log(np.exp(-0.5 * above**2) / np.sqrt(2.0 * np.pi) + above * ndtr(above))
    # Scaled by the density, what is left of two terms that nearly cancel stays a number; below
    # -1e5 it would not, and there the density alone decides.
    near = np.maximum(below, -1e5)
    rare = density + np.log1p(near * np.sqrt(np.pi / 2.0) * erfcx(-near / np.sqrt(2.0)))
    return np.asarray(np.where(score > 0.0, sure, rare))
