"""Adapter for Optuna's samplers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.samplers import BaseGASampler, BaseSampler
from optuna.trial import FrozenTrial, create_trial

from mtlsearch.results import Direction
from mtlsearch.search.samplers._observations import Observation
from mtlsearch.search.samplers._random import RandomSampler
from mtlsearch.search.space import CandidateSpace, Proposal

MAX_TRIES = 25
"""Proposals of an Optuna sampler, duplicates included, before a random one."""


class OptunaSampler:
    """Sampler that lets an Optuna sampler suggest the params.

    The Optuna sampler uses a temporary in-memory study with all observations. If it proposes a
    measured candidate, the known values are added to that study and it proposes again. Such a
    duplicate does not reach the study of the run.

    Args:
        space: the candidate space.
        make: creates the Optuna sampler from a seed. It is called for every trial, each time with
            a new seed. So a sampler with a stateful sequence, such as QMC, needs a class of its
            own that fixes the seed.
        directions: direction of each objective.
        max_tries: proposals before a random one.
        population_size: trials per generation of a genetic algorithm; None for other samplers.
    """

    def __init__(
        self,
        space: CandidateSpace,
        make: Callable[[int], BaseSampler],
        *,
        directions: Sequence[Direction] = ("maximize",),
        max_tries: int = MAX_TRIES,
        population_size: int | None = None,
    ) -> None:
        self._space = space
        self._make = make
        self._directions = list(directions)
        self._max_tries = max_tries
        self._population_size = population_size
        self._random_sampler = RandomSampler(space)

    def propose(self, observations: Sequence[Observation], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        values = {observation.digest: observation.values for observation in observations}
        sampler_seed = seed * 100_003 + len(observations)
        for proposal in self._sample(observations, values, sampler_seed):
            candidate = proposal.candidate
            if candidate.digest not in values and self._space.is_feasible(candidate):
                return proposal
        return self._random_sampler.propose(observations, seed=seed)

    def _sample(
        self,
        observations: Sequence[Observation],
        values_by_digest: Mapping[str, Sequence[float] | None],
        seed: int,
    ) -> Iterator[Proposal]:
        """Yield proposals of the Optuna sampler."""
        sampler = self._make(seed)
        study = optuna.create_study(directions=self._directions, sampler=sampler)
        study.add_trials(self._trials(observations, sampler))
        worst = self._worst_values(
            [values for values in values_by_digest.values() if values is not None]
        )
        for _ in range(self._max_tries):
            trial = study.ask()
            candidate = self._space.propose(trial)
            yield Proposal(candidate, trial.params, trial.distributions)
            values = values_by_digest.get(candidate.digest)
            if not self._space.is_feasible(candidate):
                values = worst  # leads the sampler away from infeasible candidates
            state = optuna.trial.TrialState.FAIL if values is None else None
            study.tell(trial, values, state=state)

    def _worst_values(self, values: Sequence[Sequence[float]]) -> list[float] | None:
        """Return the worst observed value per objective; None without observations."""
        columns = zip(*values, strict=True)
        return [
            min(column) if direction == "maximize" else max(column)
            for column, direction in zip(columns, self._directions, strict=False)
        ] or None

    def _trials(
        self, observations: Sequence[Observation], sampler: BaseSampler
    ) -> list[FrozenTrial]:
        """Return the observations with values and params as Optuna trials."""
        usable = [
            observation
            for observation in observations
            if observation.values is not None and observation.proposal.params
        ]
        return [
            create_trial(
                values=observation.values,
                params=dict(observation.proposal.params),
                distributions=dict(observation.proposal.distributions),
                system_attrs=self._generation_attrs(sampler, index),
            )
            for index, observation in enumerate(usable)
        ]

    def _generation_attrs(self, sampler: BaseSampler, index: int) -> dict[str, Any]:
        """Return the attribute that assigns a trial to a generation of a genetic algorithm.

        Optuna sets it only for trials that its own study created, and it has no public function
        for the name of the attribute. ``_get_generation_key`` is private: this is the only use
        of it, and a test covers it.
        """
        if self._population_size is None or not isinstance(sampler, BaseGASampler):
            return {}
        return {sampler._get_generation_key(): index // self._population_size}
