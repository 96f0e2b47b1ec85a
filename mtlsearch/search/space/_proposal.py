"""A candidate on its way to being measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FixedTrial

from mtlsearch.plugin import Candidate
from mtlsearch.results import Baseline
from mtlsearch.search.space._candidate_space import CandidateSpace


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate with the parameters that Optuna knows it by.

    Attributes:
        candidate: what to measure.
        params: the answers that give it; empty where the space has none for it.
        distributions: what each of them was drawn from.
        role: which baseline it is, if one.
    """

    candidate: Candidate
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    baseline: Baseline | None = None


def propose_baseline(space: CandidateSpace, baseline: Baseline) -> Proposal:
    """A baseline, with parameters if the space can express it, so that samplers learn of it."""
    return proposal_of(space, space.baseline_candidate(baseline), baseline)


def proposal_of(
    space: CandidateSpace, candidate: Candidate, baseline: Baseline | None = None
) -> Proposal:
    """A candidate with the parameters that give it, where there are any."""
    params = space.encode(candidate)
    if params is None:
        return Proposal(candidate, baseline=baseline)
    fixed = FixedTrial(params)
    space.propose(fixed)
    return Proposal(candidate, fixed.params, fixed.distributions, baseline)
