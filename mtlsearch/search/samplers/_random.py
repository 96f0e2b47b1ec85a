"""Candidates drawn without looking at what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna

from mtlsearch.search.samplers._observations import Observation, measured_digests
from mtlsearch.search.space import CandidateSpace, Proposal, proposal_of

UNCOUNTED_TRIES = 200
"""Draws before a space of unknown size is taken to be exhausted."""

MOST_TRIES = 5_000
"""Draws, of whatever space and budget."""


class RandomSampler:
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

    def propose(self, tried: Sequence[Observation], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        measured = measured_digests(tried)
        if self._listed is None:
            return self._draw(measured, seed * 100_003 + len(tried) + 1)
        free = [candidate for digest, candidate in self._listed if digest not in measured]
        chance = np.random.default_rng([seed, len(tried)])
        while free:
            candidate = free.pop(int(chance.integers(len(free))))
            if self._space.allows(candidate):  # its latency may be known since it was listed
                return proposal_of(self._space, candidate)
        return None

    def _draw(self, measured: frozenset[str], seed: int) -> Proposal | None:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
        count = self._space.count
        left = UNCOUNTED_TRIES if count is None else min(MOST_TRIES, 20 * count)
        for _ in range(MOST_TRIES):
            trial = study.ask()
            candidate = self._space.propose(trial)
            allowed = self._space.allows(candidate)
            if allowed and candidate.digest not in measured:
                return Proposal(candidate, trial.params, trial.distributions)
            left -= allowed  # what may not be proposed says nothing of how much is left
            if not left:
                break
        return None
