"""Several seeds: who is judged, by what, and who cannot be told from the best."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Metric
from mtlsearch.results import Baseline, TaskResult, TrialRecord, confirmed, finalists

SCORE = (Metric("score", higher_is_better=True, primary=True, high=float("inf")),)
ROLES: dict[int, Baseline] = {0: "independent", 1: "hard"}


def trial(number: int, score: float) -> TrialRecord:
    """Δm of a score is 100 (score - 1), where ``independent`` has 1."""
    results = {task: TaskResult({"score": score}, SCORE) for task in ("a", "b")}
    candidate = Candidate(SharingPlan.hard(["a", "b"], 2))
    return TrialRecord(number, "complete", ROLES.get(number), candidate, 1, 1, results)


def trials(*scores: float) -> list[TrialRecord]:
    return [trial(number, score) for number, score in enumerate(scores)]


RECORDS = trials(1.0, 0.9, 1.1, 1.5, 1.3)


def test_finalists_are_the_baselines_and_the_best() -> None:
    assert [record.number for record in finalists(RECORDS, 2)] == [0, 1, 3, 4]
    dear = [replace(RECORDS[3], over_limits="too large") if at == 3 else one
            for at, one in enumerate(RECORDS)]  # fmt: skip
    assert [record.number for record in finalists(dear, 2)] == [0, 1, 4, 2]


@given(st.lists(st.lists(st.floats(0.5, 2.0), min_size=5, max_size=5), min_size=1, max_size=4))
def test_means_are_over_all_seeds_each_against_its_own_reference(seeds: list[list[float]]) -> None:
    repeats = {at: trials(*scores) for at, scores in enumerate(seeds)}
    found = confirmed(RECORDS, repeats, top=2)
    assert set(found) == {0, 1, 3, 4}
    everyone = [[1.0, 0.9, 1.1, 1.5, 1.3], *seeds]
    for number, one in found.items():
        values = [100 * (scores[number] / scores[0] - 1) for scores in everyone]
        assert one.mean == pytest.approx(fmean(values), abs=1e-6)
        assert one.num_seeds == len(everyone)
    assert found[0].mean == found[0].stderr == 0.0
    best = max(found, key=lambda at: found[at].mean)
    assert found[best].mean >= max(one.mean for one in found.values())


def test_a_seed_counts_once_every_finalist_was_trained_on_it() -> None:
    half = [at for at in RECORDS if at.number != 4]
    assert confirmed(RECORDS, {}, top=2) == {}
    assert confirmed(RECORDS, {1: half}, top=2) == {}
    assert set(confirmed(RECORDS, {1: half}, top=1)) == {0, 1, 3}
    assert confirmed(RECORDS, {1: RECORDS, 2: half}, top=2)[3].num_seeds == 2


def test_who_was_trained_again_is_judged_where_nobody_is_to_be() -> None:
    some = [at for at in RECORDS if at.number != 3]
    assert set(confirmed(RECORDS, {1: some}, top=None)) == {0, 1, 2, 4}
    assert confirmed(RECORDS, {1: some, 2: some[:2]}, top=None)[4].num_seeds == 2
    assert confirmed(RECORDS, {}, top=None) == {}
    assert confirmed(RECORDS, {1: RECORDS[:2]}, top=None) == {}  # interrupted after the baselines


def test_who_fails_on_a_seed_is_not_confirmed() -> None:
    failed = [replace(at, state="failed", results={}) if at.number == 3 else at for at in RECORDS]
    assert set(confirmed(RECORDS, {1: failed}, top=2)) == {0, 1, 4}


def test_a_seed_without_its_reference_does_not_count() -> None:
    failed = [replace(at, state="failed", results={}) if at.number == 0 else at for at in RECORDS]
    assert confirmed(RECORDS, {1: failed}, top=2) == {}
    assert confirmed(RECORDS, {1: failed, 2: RECORDS}, top=2)[3].num_seeds == 2


def test_ties_are_within_one_standard_error_of_the_difference() -> None:
    """4 is apart from 3 by 20, then -10: 5 on average, 15 the standard error; 2 by 40 always."""
    found = confirmed(RECORDS, {1: trials(1.0, 0.9, 1.0, 1.4, 1.5)}, top=3)
    assert {number for number, one in found.items() if one.tied_with_best} == {4}
    assert found[3].mean == pytest.approx(45.0)
    assert found[4].stderr == pytest.approx(10.0)
