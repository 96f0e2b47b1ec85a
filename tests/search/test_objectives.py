"""Searches with several objectives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from optuna.study import StudyDirection

from mtlsearch.config import SearchConfig
from mtlsearch.errors import ConfigError
from mtlsearch.results import Latency, front_of, leaderboard, objectives_of
from mtlsearch.runs import pick_trial
from mtlsearch.search import build_candidate_space, search
from mtlsearch.study import TrialStore
from tests.search.curves import Curves, run
from tests.search.synthetic import QUICK_SAMPLERS, SCORE
from tests.search.test_successive_halving import outcome_of

METRICS = dict.fromkeys(("a", "b", "c"), SCORE)
BOTH = objectives_of(["delta_m", "flops"], METRICS)


def store(*names: str) -> TrialStore:
    return TrialStore.in_memory(objectives_of(names, METRICS))


def test_study_has_directions_and_values_of_objectives() -> None:
    study = run(store("delta_m", "params", "b.score"), Curves(), 4)._study
    assert study.directions == [
        StudyDirection.MAXIMIZE,
        StudyDirection.MINIMIZE,
        StudyDirection.MAXIMIZE,
    ]
    for trial in study.get_trials(states=[study.trials[0].state]):
        record = trial.user_attrs["record"]
        assert trial.values[1] == record["parameters"]
        assert trial.values[2] == record["results"]["b"]["metrics"]["score"]


def test_unknown_objective_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'flops'") as error:
        objectives_of(["flop"], METRICS)
    assert error.value.allowed == (
        "delta_m", "params", "flops", "latency_ms", "a.score", "b.score", "c.score"
    )  # fmt: skip


def test_latency_objective_measures_every_candidate() -> None:
    """It requires an evaluator that can measure it: neither a function nor a table can."""
    names = ["delta_m", "latency_ms"]
    evaluator, tree = Curves(), TreeSpace(TreeSettings())
    config = SearchConfig.model_validate({"objectives": names})
    with pytest.raises(ConfigError, match="latency_ms"):
        build_candidate_space(tree, evaluator, config)
    space = build_candidate_space(
        tree,
        evaluator,
        config,
        measure_latency=lambda candidate: Latency(1.0 * sum(candidate.plan.copies), 8, 8.0),
    )
    study = TrialStore.in_memory(objectives_of(names, METRICS))
    search(space, evaluator, study, trials=8, seed=0)
    latencies = [record.latency.ms for record in study.records() if record.latency]
    assert latencies == [sum(record.candidate.plan.copies) for record in study.records()]
    assert [trial.values[1] for trial in study.trials] == latencies


def test_lower_cost_has_higher_gain() -> None:
    assert BOTH[1].name == "flops"
    assert BOTH[1].direction == "minimize"
    records = run(TrialStore.in_memory(BOTH), Curves(), 3).records()
    cheap, expensive = sorted(records, key=lambda record: record.flops)[:: len(records) - 1]
    gains = [BOTH[1].gain(record, record.results, {}) for record in (cheap, expensive)]
    assert gains[0] > gains[1]


@pytest.mark.parametrize("sampler", QUICK_SAMPLERS)
def test_no_candidate_is_measured_twice(sampler: str) -> None:
    evaluator = Curves()
    records = run(TrialStore.in_memory(BOTH), evaluator, 24, sampler=sampler).records()
    assert len({record.candidate.digest for record in records}) == 24
    front = front_of(records, BOTH)
    assert len(front) >= 2
    # The cheapest trial is the first, and the trial with the best Δm is on the front.
    assert front[0].flops == min(record.flops for record in records if record.state == "complete")
    best = pick_trial(records, "best", front)
    assert best == pick_trial(records, "best")
    frame = leaderboard(records, objectives=BOTH)
    assert set(frame.loc[frame["pareto"], "trial"]) == {record.number for record in front}


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 3), stop=st.integers(3, 20))
def test_interrupted_search_resumes_identically(seed: int, stop: int) -> None:
    straight, after = Curves(), Curves()
    whole = run(TrialStore.in_memory(BOTH), straight, 14, seed)
    if stop >= len(straight.calls):
        return
    study, broken = TrialStore.in_memory(BOTH), Curves(interrupts_at=stop)
    with pytest.raises(KeyboardInterrupt):
        run(study, broken, 14, seed)
    run(study, after, 14, seed)
    assert broken.calls + after.calls == straight.calls
    assert outcome_of(study) == outcome_of(whole)
