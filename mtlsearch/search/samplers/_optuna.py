"""An Optuna sampler that answers the space's questions."""

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

GUIDED_TRIES = 25
"""Proposals of a sampler, duplicates among them, before untried ones are drawn blindly."""


class OptunaSampler:
    """Lets an Optuna sampler answer what the space asks.

    The sampler works on a copy of the study in memory. What it proposes a second time is told
    to it there with the value it already has, so that it moves on, and never reaches the real
    study or a training.

    Args:
        space: what may be proposed.
        make: the Optuna sampler with a seed.
        directions: Optuna's word for each objective, ``maximize`` or ``minimize``.
        tries: how many duplicates to bear with before drawing blindly.
        generation: trials a generation, for samplers that breed generations.
    """

    def __init__(
        self,
        space: CandidateSpace,
        make: Callable[[int], BaseSampler],
        *,
        directions: Sequence[Direction] = ("maximize",),
        tries: int = GUIDED_TRIES,
        generation: int | None = None,
    ) -> None:
        self._space = space
        self._make = make
        self._directions = list(directions)
        self._tries = tries
        self._generation = generation
        self._blind = RandomSampler(space)

    def propose(self, tried: Sequence[Observation], *, seed: int) -> Proposal | None:
        """See :class:`Sampler`."""
        values = {trial.digest: trial.values for trial in tried}
        for proposal in self._draws(tried, values, seed * 100_003 + len(tried)):
            digest = proposal.candidate.digest
            if digest not in values and self._space.allows(proposal.candidate):
                return proposal
        return self._blind.propose(tried, seed=seed)

    def _draws(
        self, tried: Sequence[Observation], values: Mapping[str, Sequence[float] | None], seed: int
    ) -> Iterator[Proposal]:
        sampler = self._make(seed)
        scratch = optuna.create_study(directions=self._directions, sampler=sampler)
        scratch.add_trials(self._known(tried, sampler))
        worst = self._worst([at for at in values.values() if at is not None])
        for _ in range(self._tries):
            trial = scratch.ask()
            candidate = self._space.propose(trial)
            yield Proposal(candidate, trial.params, trial.distributions)
            known = values.get(candidate.digest)
            if not self._space.allows(candidate):
                known = worst  # so that the sampler turns to what may be proposed
            state = optuna.trial.TrialState.FAIL if known is None else None
            scratch.tell(trial, known, state=state)

    def _worst(self, known: Sequence[Sequence[float]]) -> list[float] | None:
        """The worst there is of each objective; None where nothing is known."""
        columns = zip(*known, strict=True)
        return [
            min(column) if direction == "maximize" else max(column)
            for column, direction in zip(columns, self._directions, strict=False)
        ] or None

    def _known(self, tried: Sequence[Observation], sampler: BaseSampler) -> list[FrozenTrial]:
        """What the sampler can learn from: measured, and asked for by answers."""
        useful = [trial for trial in tried if trial.values is not None and trial.proposal.params]
        return [
            create_trial(
                values=trial.values,
                params=dict(trial.proposal.params),
                distributions=dict(trial.proposal.distributions),
                system_attrs=self._bred(sampler, at),
            )
            for at, trial in enumerate(useful)
        ]

    def _bred(self, sampler: BaseSampler, at: int) -> dict[str, Any]:
        """The generation of a trial, which Optuna knows only of trials that it asked for itself."""
        if self._generation is None or not isinstance(sampler, BaseGASampler):
            return {}
        return {sampler._get_generation_key(): at // self._generation}
