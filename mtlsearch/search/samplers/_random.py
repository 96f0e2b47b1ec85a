"""Random sampler."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna

from mtlsearch.search.samplers._observations import Observation, measured_digests
from mtlsearch.search.space import CandidateSpace, Proposal, proposal_of

MAX_DUPLICATES = 200
"""Duplicates after which a space of unknown size is exhausted."""

MAX_SAMPLES = 5_000
"""Samples of one proposal, infeasible ones included."""


class RandomSampler:
    """Uniform random sampler without replacement.

    The distribution is uniform over candidates if the space is enumerable. Otherwise, it is
    uniform over params.

    Args:
        space: the candidate space.
    """

    def __init__(self, space: CandidateSpace) -> None:
        self._space = space
        candidates = space.enumerate()
        self._candidates = (
            None
            if candidates is None
            else [(candidate.digest, candidate) for candidate in candidates]
        )

    def propose(self, observations: Sequence[Observation], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        measured = measured_digests(observations)
        if self._candidates is None:
            return self._sample_params(measured, seed * 100_003 + len(observations) + 1)
        remaining = [candidate for digest, candidate in self._candidates if digest not in measured]
        rng = np.random.default_rng([seed, len(observations)])
        while remaining:
            candidate = remaining.pop(int(rng.integers(len(remaining))))
            # The latency of its network may have been measured with other loss weights.
            if self._space.is_feasible(candidate):
                return proposal_of(self._space, candidate)
        return None

    def _sample_params(self, measured: frozenset[str], seed: int) -> Proposal | None:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
        size = self._space.size
        num_left = MAX_DUPLICATES if size is None else min(MAX_SAMPLES, 20 * size)
        for _ in range(MAX_SAMPLES):
            trial = study.ask()
            candidate = self._space.propose(trial)
            is_feasible = self._space.is_feasible(candidate)
            if is_feasible and candidate.digest not in measured:
                return Proposal(candidate, trial.params, trial.distributions)
            num_left -= is_feasible  # infeasible samples do not indicate an exhausted space
            if not num_left:
                break
        return None
