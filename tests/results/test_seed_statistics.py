"""Tests of seed statistics: finalists, means, standard errors and ties."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.results import Baseline, TaskResult, TrialRecord, finalists, seed_statistics

SCORE = (Metric("score", higher_is_better=True, primary=True, high=float("inf")),)
BASELINES: dict[int, Baseline] = {0: "independent", 1: "hard"}


def trial(number: int, score: float) -> TrialRecord:
    """Return a trial with Δm = 100 (score - 1), if the score of ``independent`` is 1."""
    results = {task: TaskResult({"score": score}, SCORE) for task in ("a", "b")}
    candidate = Candidate(SharingPlan.hard(["a", "b"], 2))
    return TrialRecord(number, "complete", BASELINES.get(number), candidate, 1, 1, results)


def trials(*scores: float) -> list[TrialRecord]:
    return [trial(number, score) for number, score in enumerate(scores)]


RECORDS = trials(1.0, 0.9, 1.1, 1.5, 1.3)


def with_failed(number: int) -> list[TrialRecord]:
    return [
        replace(record, state="failed", results={}) if record.number == number else record
        for record in RECORDS
    ]


def test_finalists_are_baselines_and_best_trials() -> None:
    assert [record.number for record in finalists(RECORDS, 2)] == [0, 1, 3, 4]
    limited = [
        replace(record, over_limits="too large") if record.number == 3 else record
        for record in RECORDS
    ]
    assert [record.number for record in finalists(limited, 2)] == [0, 1, 4, 2]


@given(st.lists(st.lists(st.floats(0.5, 2.0), min_size=5, max_size=5), min_size=1, max_size=4))
def test_means_are_against_the_reference_of_each_seed(seeds: list[list[float]]) -> None:
    results_by_seed = {seed: trials(*scores) for seed, scores in enumerate(seeds)}
    statistics = seed_statistics(RECORDS, results_by_seed, top=2)
    assert set(statistics) == {0, 1, 3, 4}
    scores_by_seed = [[1.0, 0.9, 1.1, 1.5, 1.3], *seeds]
    for number, of_trial in statistics.items():
        values = [100 * (scores[number] / scores[0] - 1) for scores in scores_by_seed]
        assert of_trial.mean == pytest.approx(fmean(values), abs=1e-6)
        assert of_trial.num_seeds == len(scores_by_seed)
    assert statistics[0].mean == statistics[0].stderr == 0.0
    best = max(statistics, key=lambda number: statistics[number].mean)
    assert statistics[best].mean >= max(of_trial.mean for of_trial in statistics.values())


def test_seed_counts_after_all_finalists_trained_on_it() -> None:
    half = [record for record in RECORDS if record.number != 4]
    assert seed_statistics(RECORDS, {}, top=2) == {}
    assert seed_statistics(RECORDS, {1: half}, top=2) == {}
    assert set(seed_statistics(RECORDS, {1: half}, top=1)) == {0, 1, 3}
    assert seed_statistics(RECORDS, {1: RECORDS, 2: half}, top=2)[3].num_seeds == 2


def test_top_none_uses_all_retrained_trials() -> None:
    some = [record for record in RECORDS if record.number != 3]
    assert set(seed_statistics(RECORDS, {1: some}, top=None)) == {0, 1, 2, 4}
    assert seed_statistics(RECORDS, {1: some, 2: some[:2]}, top=None)[4].num_seeds == 2
    assert seed_statistics(RECORDS, {}, top=None) == {}
    assert (
        seed_statistics(RECORDS, {1: RECORDS[:2]}, top=None) == {}
    )  # interrupted after the baselines


def test_trial_that_failed_on_a_seed_is_not_confirmed() -> None:
    failed = with_failed(3)
    assert set(seed_statistics(RECORDS, {1: failed}, top=2)) == {0, 1, 4}


def test_seed_without_reference_does_not_count() -> None:
    failed = with_failed(0)
    assert seed_statistics(RECORDS, {1: failed}, top=2) == {}
    assert seed_statistics(RECORDS, {1: failed, 2: RECORDS}, top=2)[3].num_seeds == 2


def test_ties_are_within_one_standard_error() -> None:
    """Trial 4 differs from 3 by 20 and -10 (mean 5, standard error 15), trial 2 by 40 twice."""
    statistics = seed_statistics(RECORDS, {1: trials(1.0, 0.9, 1.0, 1.4, 1.5)}, top=3)
    assert {number for number, of_trial in statistics.items() if of_trial.tied_with_best} == {4}
    assert statistics[3].mean == pytest.approx(45.0)
    assert statistics[4].stderr == pytest.approx(10.0)
