"""The next candidate, never one that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from mtlsearch.plugin import Candidate
from mtlsearch.search._candidate_space import CandidateSpace, Role

GUIDED_TRIES = 25
"""Proposals of the sampler, duplicates among them, before unmeasured plans are drawn blindly."""


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
    role: Role | None = None


def propose_baseline(space: CandidateSpace, role: Role) -> Proposal:
    """A baseline, with parameters if the space can express it, so that samplers learn of it."""
    candidate = space.baseline(role)
    answers = space.encode(candidate)
    if answers is None:
        return Proposal(candidate, role=role)
    fixed = FixedTrial(answers)
    space.propose(fixed)
    return Proposal(candidate, fixed.params, fixed.distributions, role)


def propose(
    space: CandidateSpace,
    measured: Mapping[str, float | None],
    trials: Sequence[FrozenTrial],
    *,
    seed: int,
) -> Proposal | None:
    """The next candidate that was not measured; None when the space is exhausted.

    The sampler works on a copy of the study in memory. What it proposes a second time is
    told to it there with the value it already has, so that it moves on, and never reaches
    the real study or a training.

    Args:
        space: what may be proposed.
        measured: Δm by candidate digest; None for one that failed.
        trials: the real study's finished trials; those without parameters are passed over.
        seed: with the number of ``measured``, decides the draw: a search that was stopped
            goes on as if it had not been.
    """
    draw = seed * 100_003 + len(measured)
    guided = TPESampler(seed=draw, n_startup_trials=min(10, 2 + 2 * len(space.tasks)))
    blind = RandomSampler(seed=draw + 1)
    for sampler, tries in ((guided, GUIDED_TRIES), (blind, _blind_tries(space))):
        for proposal in _draws(sampler, tries, space, measured, trials):
            if proposal.candidate.digest not in measured:
                return proposal
    return None


def _draws(
    sampler: BaseSampler,
    tries: int,
    space: CandidateSpace,
    measured: Mapping[str, float | None],
    trials: Sequence[FrozenTrial],
) -> Iterator[Proposal]:
    scratch = optuna.create_study(direction="maximize", sampler=sampler)
    known = (TrialState.COMPLETE, TrialState.PRUNED)
    scratch.add_trials([trial for trial in trials if trial.params and trial.state in known])
    for _ in range(tries):
        trial = scratch.ask()
        candidate = space.propose(trial)
        yield Proposal(candidate, trial.params, trial.distributions)
        value = measured.get(candidate.digest)
        scratch.tell(trial, value, state=None if value is not None else TrialState.FAIL)


def _blind_tries(space: CandidateSpace) -> int:
    count = space.count
    return 200 if count is None else min(5000, 20 * count)
