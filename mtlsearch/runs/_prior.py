"""The task affinity that a run file asks the search to begin with."""

from __future__ import annotations

from dataclasses import replace

from mtlsearch.affinity import Affinity, read_affinity
from mtlsearch.config import SearchConfig
from mtlsearch.errors import RunError
from mtlsearch.search import CandidateSpace
from mtlsearch.study import RunDirectory


def read_prior(
    config: SearchConfig, run: RunDirectory | None, *, where: str = "search.warm_start"
) -> Affinity | None:
    """What ``search.warm_start`` names; None if nothing.

    Args:
        config: what names it.
        run: the run directory; None where there is none yet, and so no affinity in it.
        where: where the run file names it, for messages.

    Raises:
        RunError: it is not there, or cannot be read.
    """
    prior = config.warm_start
    if prior == "affinity":
        prior = None if run is None else run.affinity
    if prior is None:
        return None
    try:
        return read_affinity(prior)
    except RunError as error:
        raise error.named_in(where) from error


def with_prior(
    space: CandidateSpace, affinity: Affinity | None, *, where: str = "search.warm_start"
) -> CandidateSpace:
    """The space with a prior.

    Args:
        space: the space without.
        affinity: what was measured; None for none.
        where: where the run file names it, for messages.

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
                where=where,
                next_step="`mtlsearch affinity RUN.yaml` measures it anew; `warm_start: null` does "
                "without",
            )
    return replace(space, prior=affinity)
