"""Factory of samplers: one entry of :data:`SAMPLER_FACTORIES` per value of ``search.sampler``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from optuna import samplers as optuna_samplers
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from mtlsearch.config import SamplerName
from mtlsearch.results import DELTA_M, Direction, Objective
from mtlsearch.search.samplers._base import Sampler
from mtlsearch.search.samplers._optuna import OptunaSampler
from mtlsearch.search.samplers._random import RandomSampler
from mtlsearch.search.samplers._sharing_gp import SharingGPSampler
from mtlsearch.search.samplers._warm_start import WarmStartSampler
from mtlsearch.search.space import CandidateSpace

POPULATION_SIZE = 16
"""Trials per generation of NSGA-II. Optuna's default, 50, exceeds most searches."""

MAX_OPTUNA_GP_TRIES = 4
"""Proposals of Optuna's Gaussian process before a random one: each takes about a second."""

SamplerFactory = Callable[[CandidateSpace, Sequence[Objective]], Sampler]
"""Function from the candidate space and the objectives of a study to a sampler."""


def make_sampler(space: CandidateSpace, objectives: Sequence[Objective] = (DELTA_M,)) -> Sampler:
    """Create the sampler that ``search.sampler`` names.

    Args:
        space: the candidate space.
        objectives: the objectives of the study.

    Returns:
        The sampler; with a warm start if the space has a task affinity.
    """
    sampler = SAMPLER_FACTORIES[space.config.sampler](space, objectives)
    return sampler if space.affinity is None else WarmStartSampler(space, space.affinity, sampler)


def sharing_gp_of(sampler: Sampler) -> SharingGPSampler | None:
    """Return the sharing GP sampler, which a warm start may wrap.

    Args:
        sampler: result of :func:`make_sampler`.

    Returns:
        The sampler; None for other samplers, which support neither second seeds nor an early end.
    """
    inner = sampler.sampler if isinstance(sampler, WarmStartSampler) else sampler
    return inner if isinstance(inner, SharingGPSampler) else None


def _auto(space: CandidateSpace, objectives: Sequence[Objective]) -> Sampler:
    """Create the sharing GP sampler if it supports the search, otherwise TPE."""
    if tuple(objectives) == (DELTA_M,):
        sampler = SharingGPSampler.for_space(space)
        if sampler is not None:
            return sampler
    return _tpe(space, objectives)


def _tpe(space: CandidateSpace, objectives: Sequence[Objective]) -> Sampler:
    num_startup = _num_startup(space)
    return OptunaSampler(
        space,
        lambda seed: TPESampler(seed=seed, n_startup_trials=num_startup),
        directions=_directions(objectives),
    )


def _gp(space: CandidateSpace, objectives: Sequence[Objective]) -> Sampler:
    num_startup = _num_startup(space)
    return OptunaSampler(
        space,
        lambda seed: optuna_samplers.GPSampler(seed=seed, n_startup_trials=num_startup),
        directions=_directions(objectives),
        max_tries=MAX_OPTUNA_GP_TRIES,
    )


def _nsga2(space: CandidateSpace, objectives: Sequence[Objective]) -> Sampler:
    def make(seed: int) -> BaseSampler:
        return NSGAIISampler(seed=seed, population_size=POPULATION_SIZE)

    return OptunaSampler(
        space, make, directions=_directions(objectives), population_size=POPULATION_SIZE
    )


def _random(space: CandidateSpace, objectives: Sequence[Objective]) -> Sampler:
    return RandomSampler(space)


def _directions(objectives: Sequence[Objective]) -> list[Direction]:
    return [objective.direction for objective in objectives]


def _num_startup(space: CandidateSpace) -> int:
    """Return the number of random trials before a model-based Optuna sampler uses its model."""
    return min(10, 2 + 2 * len(space.tasks))


SAMPLER_FACTORIES: Mapping[SamplerName, SamplerFactory] = {
    "auto": _auto,
    "tpe": _tpe,
    "gp": _gp,
    "nsga2": _nsga2,
    "random": _random,
}
"""Factory of each sampler, by its name in the run file."""
