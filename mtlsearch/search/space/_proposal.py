"""Proposal: a candidate with its params."""

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
    """Candidate with the params that Optuna stores for it.

    Attributes:
        candidate: what the trial trains.
        params: value by parameter name; empty if no params give the candidate.
        distributions: distribution by parameter name.
        baseline: which baseline the candidate is; None if it is not a baseline.
    """

    candidate: Candidate
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)
    baseline: Baseline | None = None


def propose_baseline(space: CandidateSpace, baseline: Baseline) -> Proposal:
    """Return the proposal of a baseline, with params if the space can express it.

    Args:
        space: the candidate space.
        baseline: ``"independent"`` or ``"hard"``.

    Returns:
        The proposal.
    """
    return proposal_of(space, space.baseline_candidate(baseline), baseline)


def proposal_of(
    space: CandidateSpace, candidate: Candidate, baseline: Baseline | None = None
) -> Proposal:
    """Return the proposal of a candidate, with params if the space can express it.

    Args:
        space: the candidate space.
        candidate: a complete candidate.
        baseline: which baseline the candidate is.

    Returns:
        The proposal.
    """
    params = space.encode(candidate)
    if params is None:
        return Proposal(candidate, baseline=baseline)
    fixed = FixedTrial(params)
    space.propose(fixed)
    return Proposal(candidate, fixed.params, fixed.distributions, baseline)
