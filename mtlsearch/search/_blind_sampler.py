"""Candidates drawn without looking at what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna
from optuna.samplers import RandomSampler

from mtlsearch.search._candidate_space import CandidateSpace
from mtlsearch.search._proposal import Proposal, proposal_of
from mtlsearch.search._tried import Tried, measured_digests

UNCOUNTED_TRIES = 200
"""Draws before a space of unknown size is taken to be exhausted."""


class BlindSampler:
    """Any candidate that was not tried, every one as likely where they can be listed.

    Args:
        space: what may be proposed.
    """

    def __init__(self, space: CandidateSpace) -> None:
        self._space = space
        listed = space.listed()
        self._listed = (
            None if listed is None else [(candidate.digest, candidate) for candidate in listed]
        )

    def propose(self, tried: Sequence[Tried], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        measured = measured_digests(tried)
        if self._listed is None:
            return self._draw(measured, seed * 100_003 + len(tried) + 1)
        free = [candidate for digest, candidate in self._listed if digest not in measured]
        if not free:
            return None
        chance = np.random.default_rng([seed, len(tried)])
        return proposal_of(self._space, free[int(chance.integers(len(free)))])

    def _draw(self, measured: frozenset[str], seed: int) -> Proposal | None:
        study = optuna.create_study(sampler=RandomSampler(seed=seed))
        count = self._space.count
        for _ in range(UNCOUNTED_TRIES if count is None else min(5000, 20 * count)):
            trial = study.ask()
            candidate = self._space.propose(trial)
            if candidate.digest not in measured and self._space.allows(candidate):
                return Proposal(candidate, trial.params, trial.distributions)
        return None
