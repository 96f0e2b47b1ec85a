"""Factory of samplers."""

from __future__ import annotations

from collections.abc import Sequence

from optuna import samplers as optuna_samplers
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from mtlsearch.results import DELTA_M, Objective
from mtlsearch.search.samplers._base import Sampler
from mtlsearch.search.samplers._sharing_gp import GPSampler
from mtlsearch.search.samplers._optuna import OptunaSampler
from mtlsearch.search.samplers._random import RandomSampler
from mtlsearch.search.samplers._warm_start import WarmStartSampler
from mtlsearch.search.space import CandidateSpace

POPULATION_SIZE = 16
"""Trials per generation of NSGA-II. Optuna's default, 50, exceeds most searches."""

MAX_OPTUNA_GP_TRIES = 4
"""Proposals of Optuna's Gaussian process before a random one: each takes about a second."""


def make_sampler(space: CandidateSpace, objectives: Sequence[Objective] = (DELTA_M,)) -> Sampler:
    """Create the sampler that ``search.sampler`` names.

    Args:
        space: the candidate space.
        objectives: the objectives of the study.

    Returns:
        The sampler; with a warm start if the space has a task affinity.
    """
    sampler = _make_sampler(space, objectives)
    return sampler if space.affinity is None else WarmStartSampler(space, space.affinity, sampler)


def _make_sampler(space: CandidateSpace, objectives: Sequence[Objective]) -> Sampler:
    name = space.config.sampler
    if name == "random":
        return RandomSampler(space)
    if name == "auto" and tuple(objectives) == (DELTA_M,):
        gp_sampler = GPSampler.for_space(space)
        if gp_sampler is not None:
            return gp_sampler
    directions = [objective.direction for objective in objectives]
    if name == "nsga2":
        return OptunaSampler(space, _nsga2, directions=directions, population_size=POPULATION_SIZE)
    num_startup = min(10, 2 + 2 * len(space.tasks))
    if name == "gp":
        return OptunaSampler(
            space,
            lambda seed: optuna_samplers.GPSampler(seed=seed, n_startup_trials=num_startup),
            directions=directions,
            max_tries=MAX_OPTUNA_GP_TRIES,
        )
    return OptunaSampler(
        space,
        lambda seed: TPESampler(seed=seed, n_startup_trials=num_startup),
        directions=directions,
    )


def _nsga2(seed: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=POPULATION_SIZE)
