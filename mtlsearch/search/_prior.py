"""The task affinity that a run file asks the search to begin with."""

from __future__ import annotations

from dataclasses import replace

from mtlsearch.affinity import Affinity, read_affinity
from mtlsearch.config import SearchConfig
from mtlsearch.errors import RunError
from mtlsearch.search._candidate_space import CandidateSpace
from mtlsearch.search._run_directory import RunDirectory


def read_prior(config: SearchConfig, run: RunDirectory) -> Affinity | None:
    """What ``search.prior`` names; None if nothing.

    Raises:
        RunError: it is not there, or cannot be read.
    """
    if config.prior is None:
        return None
    return read_affinity(run.affinity if config.prior == "affinity" else config.prior)


def with_prior(space: CandidateSpace, affinity: Affinity | None) -> CandidateSpace:
    """The space with a prior.

    Raises:
        RunError: the affinity is of other tasks or units.
    """
    if affinity is None:
        return space
    units = tuple(unit.name for unit in space.units_of(space.backbones[0]))
    for what, found, own in (
        ("tasks", affinity.tasks, space.tasks),
        ("units", affinity.units, units),
    ):
        if found != own:
            raise RunError(
                f"the task affinity is of the {what} {', '.join(found)}, "
                f"the run has {', '.join(own)}",
                where="search.prior",
                next_step="`mtlsearch affinity RUN.yaml` measures it anew; `prior: null` does "
                "without",
            )
    return replace(space, prior=affinity)
