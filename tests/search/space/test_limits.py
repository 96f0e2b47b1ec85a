"""Nothing over the budget is proposed or trained, whoever proposes; the baselines always are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtlsearch_search_spaces.independent import IndependentSpace
from mtlsearch_search_spaces.skip import SkipSettings, SkipSpace
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.config import LimitsConfig, SearchConfig
from mtlsearch.errors import ConfigError, RunError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, SearchSpace
from mtlsearch.results import Latency, TrialRecord
from mtlsearch.runs import pick_trial
from mtlsearch.search import CandidateSpace, search
from mtlsearch.search._rejection import MAX_REJECTIONS
from mtlsearch.search.space._feasibility import check_feasible
from mtlsearch.search.space._limits import add_limits
from mtlsearch.study import TrialStore
from tests.search.synthetic import Formula, space_for, units

SPACES: dict[str, SearchSpace[Any]] = {
    "tree": TreeSpace(TreeSettings()),
    "skip": SkipSpace(SkipSettings()),
}
SIZE = {"params": 100, "flops": 1000}
"""What a unit of a formula has, a copy."""


def limited(
    formula: Formula,
    budget: dict[str, object],
    *,
    space: str = "tree",
    measure_latency: Any = None,
    **config: object,
) -> CandidateSpace:
    plain = CandidateSpace.of(SPACES[space], formula, SearchConfig.model_validate(config))
    return add_limits(
        plain, LimitsConfig.model_validate(budget), formula.cost, measure_latency=measure_latency
    )


def searched(space: CandidateSpace, formula: Formula, trials: int) -> list[TrialRecord]:
    store = TrialStore.in_memory()
    search(space, formula, store, trials=trials, seed=0)
    return store.records()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["auto", "tpe", "gp", "nsga2", "random"]),
    st.sampled_from(sorted(SPACES)),
    st.sampled_from(["equal", "search"]),
    st.sampled_from(["params", "flops"]),
    st.integers(4, 12),
)
def test_no_sampler_proposes_what_is_over(
    sampler: str, space: str, weights: str, key: str, copies: int
) -> None:
    """Three tasks over four units: from 4 copies, where all is shared, to 12."""
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


def test_all_that_is_within_is_found() -> None:
    formula = Formula(tasks=("a", "b"))
    within = limited(formula, {"params": 600})
    assert {at.plan.copies for at in within.listed() or ()} == {
        (1, 1, 1, 1),
        (1, 1, 1, 2),
        (1, 1, 2, 2),
    }
    assert len(searched(within, formula, 50)) == 4  # those three and ``independent``


@pytest.mark.parametrize(
    ("said", "most"),
    [("1.5x", 600), ("0.5 independent", 600), ("1.1 hard", 440), ("0.5k", 500), (700, 700)],
)
def test_limits_are_relative_to_the_baselines(said: object, most: float) -> None:
    budget = limited(Formula(), {"params": said}).budget
    assert budget is not None
    assert budget.params == pytest.approx(most)


def test_the_hard_plan_is_within_its_own_size() -> None:
    within = limited(Formula(), {"params": "1 hard", "flops": "1 hard"})
    assert within.allows(within.baseline_candidate("hard"))


@pytest.mark.parametrize("space", SPACES)
def test_a_budget_without_room_is_told_before_anything_is_trained(space: str) -> None:
    formula = Formula()
    with pytest.raises(ConfigError, match="limits") as caught:
        searched(limited(formula, {"params": 399}, space=space), formula, 4)
    assert not formula.measured
    assert caught.value.where == "limits.params"
    assert any("400 params" in text for text in caught.value.allowed)
    assert any("1.2 k params" in text for text in caught.value.allowed)


def test_a_large_space_without_room_is_found_out_by_the_hard_plan() -> None:
    formula = Formula(tasks=tuple("abcdef"), count=6)
    with pytest.raises(ConfigError, match="candidates drawn"):
        searched(limited(formula, {"flops": 5999}), formula, 4)
    assert searched(limited(formula, {"flops": 6000}), formula, 2)


def prefers_private(candidate: Candidate) -> float:
    return 1.0 + sum(candidate.plan.copies)


def test_a_baseline_over_the_budget_is_never_the_best() -> None:
    formula = Formula(score=prefers_private)
    store = TrialStore.in_memory()
    search(limited(formula, {"params": "2x"}), formula, store, trials=6, seed=0)
    best = store.best()
    assert best is not None
    assert best[0] == pick_trial(store.records(), "best").number > 1
    assert pick_trial(store.records(), 0).baseline == "independent"


def test_where_only_baselines_over_the_budget_are_done_there_is_no_best() -> None:
    formula = Formula()
    records = searched(limited(formula, {"params": "1 hard"}), formula, 2)
    with pytest.raises(RunError, match="within the budget"):
        pick_trial(records[:1], "best")


@pytest.mark.parametrize(
    ("space", "limits", "told"),
    [
        (TreeSpace(TreeSettings()), "0.1x", "smaller backbone"),
        (IndependentSpace(IndependentSpace.Settings()), "2x", "a space that shares more"),
    ],
)
def test_a_space_that_shares_more_is_named_where_it_would_help(
    space: SearchSpace[Any], budget: str, told: str
) -> None:
    formula = Formula()
    plain = CandidateSpace.of(space, formula, SearchConfig())
    within = add_limits(plain, LimitsConfig.model_validate({"params": budget}), formula.cost)
    with pytest.raises(ConfigError, match="no candidate") as error:
        check_feasible(within)
    assert told in str(error.value.next_step)


class Clock:
    """A millisecond a copy, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[SharingPlan] = []

    def __call__(self, candidate: Candidate) -> Latency:
        self.asked.append(candidate.plan)
        copies = sum(candidate.plan.copies)
        return Latency(float(copies), 8, 4.0 * copies)


@pytest.mark.parametrize("sampler", ["auto", "tpe", "nsga2", "random"])
@pytest.mark.parametrize("weights", ["equal", "search"])
def test_what_is_too_slow_is_written_down_and_not_trained(sampler: str, weights: str) -> None:
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
    assert len(set(measure_latency.asked)) == len(measure_latency.asked)


def test_a_search_that_goes_on_takes_no_time_twice() -> None:
    formula, store, clocks = Formula(), TrialStore.in_memory(), (Clock(), Clock())
    for measure_latency, trials in zip(clocks, (5, 9), strict=True):
        space = limited(formula, {"latency_ms": "0.7 independent"}, measure_latency=measure_latency)
        search(space, formula, store, trials=trials, seed=0)
    first, second = (set(measure_latency.asked) for measure_latency in clocks)
    assert not first & second
    assert sum(record.state == "complete" for record in store.records()) == 9


def test_what_is_too_large_is_not_timed() -> None:
    formula, measure_latency = Formula(), Clock()
    records = searched(
        limited(formula, {"params": 700, "latency_ms": 100}, measure_latency=measure_latency),
        formula,
        8,
    )
    assert all(sum(plan.copies) <= 7 for plan in measure_latency.asked[1:])
    assert {record.state for record in records} == {"complete"}


def test_a_search_in_which_all_are_too_slow_ends() -> None:
    formula, measure_latency = Formula(tasks=tuple("abcd"), count=6), Clock()
    store = TrialStore.in_memory()
    space = limited(formula, {"latency_ms": 0.5}, measure_latency=measure_latency)
    outcome = search(space, formula, store, trials=10, seed=0)
    assert outcome.exhausted
    assert (
        "budget of 0.5 ms; the fastest network so far, trial 1 (hard), takes 6 ms" in outcome.reason
    )
    assert len(formula.measured) == outcome.num_finished == 2
    assert len(store.records()) == 2 + MAX_REJECTIONS


@pytest.mark.parametrize(
    ("max_images", "most", "settled"), [(0.5, "0.5", 2), ("1 hard", "4", 2), (5, "5", 5)]
)
def test_a_space_that_is_exhausted_because_of_the_limit_says_so(
    limit: object, most: str, num_finished: int
) -> None:
    """Three tasks over four units: fewer plans than may be rejected in a row."""
    formula = Formula()
    space = limited(formula, {"latency_ms": limit}, measure_latency=Clock())
    listed = len(space.listed() or ())
    assert listed < MAX_REJECTIONS
    outcome = search(space, formula, TrialStore.in_memory(), trials=20, seed=0)
    assert (outcome.exhausted, outcome.num_finished) == (True, num_finished)
    assert f"; {listed - num_finished} were over the latency budget of {most} ms" in outcome.reason
    assert outcome.reason.endswith("the fastest network so far, trial 1 (hard), takes 4 ms")


def test_a_space_that_is_exhausted_otherwise_blames_no_limit() -> None:
    formula = Formula(tasks=("a", "b"))
    space = limited(formula, {"latency_ms": 100}, measure_latency=Clock())
    outcome = search(space, formula, TrialStore.in_memory(), trials=20, seed=0)
    assert outcome.exhausted
    assert "has not been measured" in outcome.reason
    assert "latency" not in outcome.reason


def test_latency_needs_a_clock() -> None:
    with pytest.raises(ConfigError, match="latency"):
        limited(Formula(), {"latency_ms": 5})


def test_without_a_budget_nothing_is_timed_or_marked() -> None:
    formula, measure_latency = Formula(), Clock()
    plain = space_for(formula)
    assert add_limits(plain, LimitsConfig(), formula.cost, measure_latency=measure_latency) is plain
    assert all(record.latency is None for record in searched(plain, formula, 4))
    assert units(1)
    assert not measure_latency.asked
