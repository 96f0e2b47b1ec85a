"""Who chooses the next candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from optuna import samplers as optuna_samplers
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from mtlsearch.results import DELTA_M, Objective
from mtlsearch.search.samplers._gp_sampler import GPSampler
from mtlsearch.search.samplers._observations import Observation
from mtlsearch.search.samplers._optuna import OptunaSampler
from mtlsearch.search.samplers._random import RandomSampler
from mtlsearch.search.samplers._warm_start import WarmStartSampler
from mtlsearch.search.space import CandidateSpace, Proposal

POPULATION = 16
"""Trials a generation of NSGA-II: Optuna's 50 are more than most searches have in all."""


class Sampler(Protocol):
    """Proposes candidates, none of them twice."""

    def propose(self, tried: Sequence[Observation], *, seed: int) -> Proposal | None:
        """The next candidate; None when the space is exhausted.

        Decided by the arguments alone: a search that was stopped goes on as if it had not been.

        Args:
            tried: all that is settled, by trial number.
            seed: the run's.
        """


def make_sampler(space: CandidateSpace, objectives: Sequence[Objective] = (DELTA_M,)) -> Sampler:
    """The sampler that the run file asks for, after a first proposal where there is a prior."""
    sampler = _make_sampler(space, objectives)
    return sampler if space.prior is None else WarmStartSampler(space, space.prior, sampler)


def _make_sampler(space: CandidateSpace, objectives: Sequence[Objective]) -> Sampler:
    name = space.config.sampler
    directions = [at.direction for at in objectives]
    if name == "random":
        return RandomSampler(space)
    if name == "auto" and tuple(objectives) == (DELTA_M,):
        ranking = GPSampler.of(space)
        if ranking is not None:
            return ranking
    if name == "nsga2":
        return OptunaSampler(space, _nsga2, directions=directions, generation=POPULATION)
    startup = min(10, 2 + 2 * len(space.tasks))
    if name == "gp":
        return OptunaSampler(
            space,
            lambda seed: optuna_samplers.GPSampler(seed=seed, n_startup_trials=startup),
            directions=directions,
            tries=4,
        )
    return OptunaSampler(
        space,
        lambda seed: TPESampler(seed=seed, n_startup_trials=startup),
        directions=directions,
    )


def _nsga2(seed: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=POPULATION)
