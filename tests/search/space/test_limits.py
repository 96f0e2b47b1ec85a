"""Limits: every sampler proposes feasible candidates only; baselines are always trained."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtlsearch_search_spaces.independent import IndependentSpace
from mtlsearch_search_spaces.skip import SkipSettings, SkipSpace
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.config import SAMPLER_NAMES, LimitsConfig, SearchConfig
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, SearchSpace
from mtlsearch.results import Latency, TrialRecord
from mtlsearch.runs import pick_trial
from mtlsearch.search import CandidateSpace, build_candidate_space, search
from mtlsearch.search._rejection import MAX_REJECTIONS
from mtlsearch.search.space import _factory
from mtlsearch.study import TrialStore
from tests.search.synthetic import QUICK_SAMPLERS, Formula

SPACES: dict[str, SearchSpace[Any]] = {
    "tree": TreeSpace(TreeSettings()),
    "skip": SkipSpace(SkipSettings()),
}
SIZE = {"params": 100, "flops": 1000}
"""Cost of one copy of a unit of a formula."""


def limited(
    formula: Formula,
    limits: dict[str, object],
    *,
    space: str = "tree",
    measure_latency: Any = None,
    **config: object,
) -> CandidateSpace:
    return build_candidate_space(
        SPACES[space],
        formula,
        SearchConfig.model_validate(config),
        limits=LimitsConfig.model_validate(limits),
        measure_latency=measure_latency,
    )


def searched(space: CandidateSpace, formula: Formula, trials: int) -> list[TrialRecord]:
    store = TrialStore.in_memory()
    search(space, formula, store, trials=trials, seed=0)
    return store.records()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(SAMPLER_NAMES),
    st.sampled_from(sorted(SPACES)),
    st.sampled_from(["equal", "search"]),
    st.sampled_from(["params", "flops"]),
    st.integers(4, 12),
)
def test_no_sampler_proposes_an_infeasible_candidate(
    sampler: str, space: str, weights: str, key: str, copies: int
) -> None:
    """Three tasks over four units: 4 copies if all tasks share, up to 12."""
    formula = Formula()
    within = limited(
        formula, {key: copies * SIZE[key]}, space=space, sampler=sampler, loss_weights=weights
    )
    records = searched(within, formula, 5 if sampler == "gp" else 8)
    assert [record.baseline for record in records[:2]] == ["independent", "hard"]
    assert bool(records[0].over_limits) == (copies < 12)
    for record in records[2:]:
        spent = {"params": record.parameters, "flops": record.flops}
        assert spent[key] <= copies * SIZE[key]
        assert not record.over_limits
    assert len(formula.measured) == len(records)


def test_all_feasible_candidates_are_measured() -> None:
    formula = Formula(tasks=("a", "b"))
    within = limited(formula, {"params": 600})
    assert {candidate.plan.copies for candidate in within.enumerate() or ()} == {
        (1, 1, 1, 1),
        (1, 1, 1, 2),
        (1, 1, 2, 2),
    }
    assert len(searched(within, formula, 50)) == 4  # those three and ``independent``


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("1.5x", 600), ("0.5 independent", 600), ("1.1 hard", 440), ("0.5k", 500), (700, 700)],
)
def test_relative_limits_refer_to_the_baselines(limit: object, expected: float) -> None:
    limits = limited(Formula(), {"params": limit}).limits
    assert limits is not None
    assert limits.params == pytest.approx(expected)


def test_hard_plan_is_within_its_own_size() -> None:
    within = limited(Formula(), {"params": "1 hard", "flops": "1 hard"})
    assert within.is_feasible(within.baseline_candidate("hard"))


@pytest.mark.parametrize("space", SPACES)
def test_infeasible_limits_are_refused_by_the_factory(space: str) -> None:
    formula = Formula()
    with pytest.raises(ConfigError, match="limits") as caught:
        limited(formula, {"params": 399}, space=space)
    assert not formula.measured
    assert caught.value.where == "limits.params"
    assert any("400 params" in text for text in caught.value.allowed)
    assert any("1.2 k params" in text for text in caught.value.allowed)


def test_infeasible_large_space_is_refused() -> None:
    formula = Formula(tasks=tuple("abcdef"), count=6)
    with pytest.raises(ConfigError, match="none of 501 sampled candidates"):
        limited(formula, {"flops": 5999})
    assert searched(limited(formula, {"flops": 6000}), formula, 2)


def prefers_private(candidate: Candidate) -> float:
    return 1.0 + sum(candidate.plan.copies)


def test_infeasible_baseline_is_not_the_best() -> None:
    formula = Formula(score=prefers_private)
    store = TrialStore.in_memory()
    search(limited(formula, {"params": "2x"}), formula, store, trials=6, seed=0)
    best = store.view().best
    assert best is not None
    assert best[0] == pick_trial(store.records(), "best").number > 1
    assert pick_trial(store.records(), 0).baseline == "independent"


def test_infeasible_baselines_alone_have_no_best() -> None:
    formula = Formula()
    records = searched(limited(formula, {"params": "1 hard"}), formula, 2)
    with pytest.raises(RunError, match="within the limits"):
        pick_trial(records[:1], "best")


@pytest.mark.parametrize(
    ("space", "limit", "advice"),
    [
        (TreeSpace(TreeSettings()), "0.1x", "smaller backbone"),
        (IndependentSpace(IndependentSpace.Settings()), "2x", "a search space that shares more"),
    ],
)
def test_advice_for_infeasible_limits_fits_the_space(
    space: SearchSpace[Any], limit: str, advice: str
) -> None:
    limits = LimitsConfig.model_validate({"params": limit})
    with pytest.raises(ConfigError, match="no candidate") as error:
        build_candidate_space(space, Formula(), limits=limits)
    assert advice in str(error.value.next_step)


def test_feasibility_is_checked_once_per_search(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[CandidateSpace] = []
    original = _factory.check_feasible

    def check(space: CandidateSpace) -> None:
        checked.append(space)
        original(space)

    monkeypatch.setattr(_factory, "check_feasible", check)
    formula = Formula()
    space = limited(formula, {"params": "1.5x"})
    searched(space, formula, 4)
    assert checked == [space]


class Clock:
    """Latency of one millisecond per copy, and the plans that were measured."""

    def __init__(self) -> None:
        self.measured: list[SharingPlan] = []

    def __call__(self, candidate: Candidate) -> Latency:
        self.measured.append(candidate.plan)
        copies = sum(candidate.plan.copies)
        return Latency(float(copies), 8, 4.0 * copies)


@pytest.mark.parametrize("sampler", QUICK_SAMPLERS)
@pytest.mark.parametrize("weights", ["equal", "search"])
def test_too_slow_candidate_is_stored_and_not_trained(sampler: str, weights: str) -> None:
    formula, measure_latency = Formula(), Clock()
    space = limited(
        formula,
        {"latency_ms": 8},
        measure_latency=measure_latency,
        sampler=sampler,
        loss_weights=weights,
    )
    records = searched(space, formula, 8)
    trained = [record for record in records if record.state == "complete"]
    rejected = [record for record in records if record.state == "infeasible"]
    assert len(trained) == len(formula.measured) == 8
    for record in records:
        assert record.latency is not None
        assert record.latency.ms == sum(record.candidate.plan.copies)
    assert all(sum(record.candidate.plan.copies) <= 8 for record in trained[1:])
    assert all("latency" in record.reason for record in rejected)
    assert all(sum(record.candidate.plan.copies) > 8 for record in rejected)
    assert len({record.candidate.plan for record in rejected}) == len(rejected)
    assert len(set(measure_latency.measured)) == len(measure_latency.measured)


def test_resumed_search_measures_no_latency_twice() -> None:
    formula, store, clocks = Formula(), TrialStore.in_memory(), (Clock(), Clock())
    for measure_latency, trials in zip(clocks, (5, 9), strict=True):
        space = limited(formula, {"latency_ms": "0.7 independent"}, measure_latency=measure_latency)
        search(space, formula, store, trials=trials, seed=0)
    first, second = (set(measure_latency.measured) for measure_latency in clocks)
    assert not first & second
    assert sum(record.state == "complete" for record in store.records()) == 9


def test_latency_of_a_too_large_candidate_is_not_measured() -> None:
    formula, measure_latency = Formula(), Clock()
    records = searched(
        limited(formula, {"params": 700, "latency_ms": 100}, measure_latency=measure_latency),
        formula,
        8,
    )
    assert all(sum(plan.copies) <= 7 for plan in measure_latency.measured[1:])
    assert {record.state for record in records} == {"complete"}


def test_search_ends_after_too_many_rejections() -> None:
    formula, measure_latency = Formula(tasks=tuple("abcd"), count=6), Clock()
    store = TrialStore.in_memory()
    space = limited(formula, {"latency_ms": 0.5}, measure_latency=measure_latency)
    outcome = search(space, formula, store, trials=10, seed=0)
    assert outcome.exhausted
    assert (
        "limit of 0.5 ms. The fastest network so far, trial 1 (hard), takes 6 ms" in outcome.reason
    )
    assert len(formula.measured) == outcome.num_finished == 2
    assert len(store.records()) == 2 + MAX_REJECTIONS


@pytest.mark.parametrize(
    ("limit", "limit_ms", "num_finished"), [(0.5, "0.5", 2), ("1 hard", "4", 2), (5, "5", 5)]
)
def test_exhaustion_by_the_latency_limit_is_reported(
    limit: object, limit_ms: str, num_finished: int
) -> None:
    """Three tasks over four units: fewer plans than may be rejected in a row."""
    formula = Formula()
    space = limited(formula, {"latency_ms": limit}, measure_latency=Clock())
    size = len(space.enumerate() or ())
    assert size < MAX_REJECTIONS
    outcome = search(space, formula, TrialStore.in_memory(), trials=20, seed=0)
    assert (outcome.exhausted, outcome.num_finished) == (True, num_finished)
    num_rejected = size - num_finished
    reason = f". {num_rejected} candidates are over the latency limit of {limit_ms} ms"
    assert reason in outcome.reason
    assert outcome.reason.endswith("The fastest network so far, trial 1 (hard), takes 4 ms")


def test_other_exhaustion_does_not_mention_a_limit() -> None:
    formula = Formula(tasks=("a", "b"))
    space = limited(formula, {"latency_ms": 100}, measure_latency=Clock())
    outcome = search(space, formula, TrialStore.in_memory(), trials=20, seed=0)
    assert outcome.exhausted
    assert "were measured" in outcome.reason
    assert "latency" not in outcome.reason


def test_latency_limit_requires_a_measurement() -> None:
    with pytest.raises(ConfigError, match="latency"):
        limited(Formula(), {"latency_ms": 5})


def test_without_limits_no_latency_is_measured() -> None:
    formula, measure_latency = Formula(), Clock()
    plain = limited(formula, {}, measure_latency=measure_latency)
    assert plain.limits is None
    assert all(record.latency is None for record in searched(plain, formula, 4))
    assert not measure_latency.measured
