"""Ties that a verdict admits, compared with all pairs of trials."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from scipy.stats import norm

from mtlsearch.config import SearchConfig
from mtlsearch.plugin import Candidate
from mtlsearch.search import (
    FunctionEvaluator,
    NullProgress,
    build_candidate_space,
    verdict_of,
)
from mtlsearch.search._successive_halving import SuccessiveHalving
from mtlsearch.search._surrogate import surrogate_of
from mtlsearch.search._trial_runner import TrialRunner
from mtlsearch.search._verdict import SHOWN
from mtlsearch.search.samplers import complete_observations, features_of
from mtlsearch.search.space import proposal_of, propose_baseline
from mtlsearch.study import StudyView, TrialStore

TASKS, UNITS = ("a", "b", "c"), 3


def trained(gain: float, noise: float, trials: int, seed: int) -> StudyView:
    """Train both baselines and random plans; sharing changes scores by ``gain`` per unit."""

    def score(candidate: Candidate) -> dict[str, float]:
        rng = np.random.default_rng([seed, *str(candidate.plan).encode()])
        shared = sum(len(set(row)) < len(row) for row in candidate.plan.rows)
        return {task: 100.0 + gain * shared + noise * rng.standard_normal() for task in TASKS}

    evaluator, store = FunctionEvaluator(score, TASKS, UNITS), TrialStore.in_memory()
    space = build_candidate_space(TreeSpace(TreeSettings()), evaluator, SearchConfig())
    runner = TrialRunner(evaluator, store, NullProgress(), SuccessiveHalving())
    baselines = [propose_baseline(space, name) for name in ("independent", "hard")]
    digests = {proposal.candidate.digest for proposal in baselines}
    others = [item for item in space.enumerate() or () if item.digest not in digests]
    chosen = np.random.default_rng(seed).permutation(len(others))[: trials - 2]
    for proposal in (*baselines, *(proposal_of(space, others[index]) for index in chosen)):
        assert runner.start(proposal, store.update())
    return store.view()


@given(
    gain=st.sampled_from([-4.0, -1.0, 0.0, 1.0, 4.0]),
    noise=st.sampled_from([0.0, 0.1, 1.0, 5.0]),
    trials=st.integers(3, 9),
    seed=st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_verdict_admits_exactly_the_ties_of_all_pairs(
    gain: float, noise: float, trials: int, seed: int
) -> None:
    view = trained(gain, noise, trials, seed)
    verdict, surrogate = verdict_of(view), surrogate_of(view)
    assert verdict is not None
    assert surrogate is not None
    complete = complete_observations(surrogate[0])
    features = features_of(complete)
    means, covariance = surrogate[1].mean(features), surrogate[1].covariance(features, features)
    numbers = [item.number for item in complete]
    winner = numbers.index(verdict.winner)

    def difference(other: int) -> tuple[float, float]:
        variance = covariance[winner, winner] + covariance[other, other]
        variance -= 2 * covariance[winner, other]
        return means[winner] - means[other], np.sqrt(max(0.0, variance))

    for index, item in enumerate(complete):
        if item.proposal.baseline is not None or index == winner:
            assert item.number not in verdict.tied
            continue
        mean, deviation = difference(index)
        if deviation < 1e-6 or abs(mean / deviation - norm.ppf(SHOWN)) < 1e-6:
            continue  # decided by rounding
        assert (item.number in verdict.tied) == (mean < norm.ppf(SHOWN) * deviation)
    text = "\n".join(verdict.sentences)
    assert ("not shown to be better than" in text) == bool(verdict.tied)
    if len(verdict.tied) > 1:
        assert f"not shown to be better than {len(verdict.tied)} other plans" in text
    if verdict.recommended != verdict.winner:
        mean, deviation = difference(numbers.index(verdict.recommended))
        assert f"exceeds it by {mean:.2f} ± {deviation:.2f} points" in text
        assert mean < norm.ppf(SHOWN) * deviation + 1e-6


def test_cheapest_tied_plan_is_named_if_it_saves() -> None:
    view = trained(gain=0.0, noise=2.0, trials=8, seed=1)
    verdict = verdict_of(view)
    assert verdict is not None
    flops = {record.number: record.flops for record in view.records}
    cheapest = min(verdict.tied, key=flops.__getitem__)
    named = re.findall(r"the cheapest is trial (\d+)", "\n".join(verdict.sentences))
    assert named == ([str(cheapest)] if flops[cheapest] < flops[verdict.winner] else [])
    assert len(verdict.tied) > 1
