"""Surrogate of a study, which its verdict and the effects of its tasks share."""

from __future__ import annotations

from functools import lru_cache

from mtlsearch.search.samplers import (
    ObservationHistory,
    Observations,
    SharingModel,
    SharingPosterior,
    surrogate_applies,
    usable_observations,
)
from mtlsearch.study import StudyView


@lru_cache(maxsize=1)
def surrogate_of(view: StudyView) -> tuple[Observations, SharingPosterior] | None:
    """Return the observations of a study and what the surrogate learns from them.

    Those of the last view are kept, since a report asks several times.

    Args:
        view: the study.

    Returns:
        The trials with changes, and the posterior; None for fewer than two such trials, or if
        their plans cannot be compared.
    """
    history = ObservationHistory()
    observations = usable_observations(history.update(view.with_delta_m_only()))
    if len(observations) < 2 or not surrogate_applies(observations):
        return None
    tasks = observations[0].proposal.candidate.trained_tasks
    return observations, SharingModel(tasks).posterior(observations)
