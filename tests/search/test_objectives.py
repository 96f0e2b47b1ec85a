"""Searching for several things at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.study import StudyDirection

from mtlsearch.config import LimitsConfig
from mtlsearch.errors import ConfigError
from mtlsearch.results import Latency, Objective, front_of, leaderboard, objectives_of
from mtlsearch.runs import pick_trial
from mtlsearch.search import search
from mtlsearch.search.space._limits import add_limits
from mtlsearch.study import TrialStore
from tests.search.curves import Curves, run
from tests.search.synthetic import SCORE, space_for
from tests.search.test_successive_halving import ended

METRICS = dict.fromkeys(("a", "b", "c"), SCORE)
BOTH = objectives_of(["delta_m", "flops"], METRICS)


def store(*names: str) -> TrialStore:
    return TrialStore.in_memory(objectives_of(names, METRICS))


def test_optuna_is_told_what_is_wanted() -> None:
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


def test_an_unknown_objective_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'flops'") as error:
        objectives_of(["flop"], METRICS)
    assert error.value.allowed == (
        "delta_m", "params", "flops", "latency_ms", "a.score", "b.score", "c.score"
    )  # fmt: skip


def test_latency_is_taken_of_whatever_is_proposed() -> None:
    """Where something takes it: neither a function nor a table does."""
    wanted = ["delta_m", "latency_ms"]
    evaluator = Curves()
    with pytest.raises(ConfigError, match="cannot be measured"):
        add_limits(space_for(evaluator, objectives=wanted), LimitsConfig(), evaluator.cost)
    space = add_limits(
        space_for(evaluator, objectives=wanted),
        LimitsConfig(),
        evaluator.cost,
        clock=lambda candidate: Latency(1.0 * sum(candidate.plan.copies), 8, 8.0),
    )
    objectives = objectives_of(wanted, METRICS)
    found = TrialStore.in_memory(objectives)
    search(space, evaluator, found, trials=8, seed=0)
    times = [record.latency.ms for record in found.records() if record.latency]
    assert times == [sum(record.candidate.plan.copies) for record in found.records()]
    assert [trial.values[1] for trial in found.trials] == times


def test_less_of_a_cost_is_better() -> None:
    assert Objective("flops", maximize=False) in BOTH
    records = run(TrialStore.in_memory(BOTH), Curves(), 3).records()
    cheap, dear = sorted(records, key=lambda record: record.flops)[:: len(records) - 1]
    gains = [BOTH[1].gain(record, record.results, {}) for record in (cheap, dear)]
    assert gains[0] > gains[1]


@pytest.mark.parametrize("sampler", ["auto", "tpe", "nsga2", "random"])
def test_nothing_is_measured_twice(sampler: str) -> None:
    evaluator = Curves()
    records = run(TrialStore.in_memory(BOTH), evaluator, 24, sampler=sampler).records()
    assert len({record.candidate.digest for record in records}) == 24
    front = front_of(records, BOTH)
    assert len(front) >= 2
    # The cheapest is the first, the best Δm is on it, and it is what is exported.
    assert front[0].flops == min(at.flops for at in records if at.state == "complete")
    best = pick_trial(records, "best", front)
    assert best == pick_trial(records, "best")
    frame = leaderboard(records, objectives=BOTH)
    assert set(frame.loc[frame["pareto"], "trial"]) == {record.number for record in front}


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 3), stop=st.integers(3, 20))
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(seed: int, stop: int) -> None:
    straight, after = Curves(), Curves()
    whole = run(TrialStore.in_memory(BOTH), straight, 14, seed)
    if stop >= len(straight.asked):
        return
    kept, broken = TrialStore.in_memory(BOTH), Curves(interrupts_at=stop)
    with pytest.raises(KeyboardInterrupt):
        run(kept, broken, 14, seed)
    run(kept, after, 14, seed)
    assert broken.asked + after.asked == straight.asked
    assert ended(kept) == ended(whole)
