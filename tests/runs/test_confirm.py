"""Confirmation ranks trials by their mean over seeds and resumes after an interruption."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from mtlsearch.config import ConfirmConfig
from mtlsearch.plugin import Candidate
from mtlsearch.results import TrialRecord, seed_statistics
from mtlsearch.runs import _confirm as module
from mtlsearch.runs import pick_trial, read_confirmed
from mtlsearch.runs._confirm import confirm, read_results_by_seed
from mtlsearch.search import NullProgress, search
from mtlsearch.study import RunDirectory, TrialStore
from tests.search.synthetic import Formula, sharing_score, space_for


@dataclass
class SeededSession:
    """Session whose scores depend on the seed; it raises after a number of trainings."""

    config: Any
    trained: list[tuple[int, int]]
    stops_after: int = 99

    def evaluator_of(self, seed: int) -> Formula:
        formula = Formula(
            score=lambda candidate: sharing_score(candidate) - penalty(candidate, seed)
        )
        measure = formula.measure

        def measure_and_count(number: int, candidate: Candidate, progress: Any) -> Any:
            if len(self.trained) == self.stops_after:
                raise KeyboardInterrupt
            self.trained.append((seed, number))
            return measure(number, candidate, progress)

        cast(Any, formula).measure = measure_and_count
        return formula


def penalty(candidate: Candidate, seed: int) -> float:
    """Return a penalty on other seeds for the plan that is best on seed 0."""
    return 0.5 if seed and sharing_score(candidate) == 2.0 else 0.0


@dataclass
class Config:
    """Part of a run file that a confirmation reads."""

    seed: int
    search: Any


@dataclass
class Search:
    confirm: ConfirmConfig | None


@pytest.fixture
def records() -> list[TrialRecord]:
    formula, store = Formula(), TrialStore.in_memory()
    search(space_for(formula), formula, store, trials=10, seed=0)
    return store.records()


def run_confirm(
    run: Path, records: list[TrialRecord], session: SeededSession, patch: pytest.MonkeyPatch
) -> None:
    patch.setattr(
        module, "retraining_evaluator", lambda session, folder, *, seed: session.evaluator_of(seed)
    )
    confirm(
        cast(Any, session),
        RunDirectory(run),
        records,
        NullProgress(),
    )


def session(top: int = 2, seeds: int = 3, **options: int) -> SeededSession:
    return SeededSession(Config(0, Search(ConfirmConfig(top=top, seeds=seeds))), [], **options)


def test_pick_trial_after_confirm_returns_best_mean(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    best_on_one_seed = pick_trial(records, "best")
    run_confirm(tmp_path, records, session(top=3), monkeypatch)
    statistics = seed_statistics(records, read_results_by_seed(RunDirectory(tmp_path)), 3)
    best = pick_trial(records, "best", statistics)
    assert penalty(best_on_one_seed.candidate, 1) > 0
    assert statistics[best.number].mean == max(value.mean for value in statistics.values())
    assert {value.num_seeds for value in statistics.values()} == {3}
    assert pick_trial(records, best_on_one_seed.number, statistics) == best_on_one_seed


def test_confirm_after_interruption_skips_finished_trainings(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = session(stops_after=3), session(), session(seeds=4)
    with pytest.raises(KeyboardInterrupt):
        run_confirm(tmp_path, records, first, monkeypatch)
    run_confirm(tmp_path, records, second, monkeypatch)
    run_confirm(tmp_path, records, third, monkeypatch)
    assert len(first.trained) == 3
    assert not set(first.trained) & set(second.trained)
    assert {seed for seed, _ in first.trained + second.trained} == {1, 2}
    assert len(first.trained + second.trained) == 2 * 4
    assert {seed for seed, _ in third.trained} == {3}
    assert [number for _, number in third.trained][:2] == [0, 1]


@pytest.mark.parametrize("later", [None, ConfirmConfig(top=1, seeds=3)])
def test_read_confirmed_after_resumed_search_keeps_statistics(
    tmp_path: Path,
    records: list[TrialRecord],
    monkeypatch: pytest.MonkeyPatch,
    later: ConfirmConfig | None,
) -> None:
    """The resumed search has no ``confirm``, or one that has not started."""
    first = session(top=1)
    run_confirm(tmp_path, records[:4], first, monkeypatch)
    numbers = {number for _, number in first.trained}
    before = read_confirmed(tmp_path, first.config, records[:4])
    after = read_confirmed(tmp_path, cast(Any, Config(0, Search(later))), records)
    assert set(before) == numbers
    assert after == before
    assert pick_trial(records, "best", after).number in numbers
    assert pick_trial(records, "best").number not in numbers


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_read_confirmed_of_partial_confirmation_is_empty(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    stopped = session(top=2, stops_after=stop)  # Of four trainings.
    with pytest.raises(KeyboardInterrupt):
        run_confirm(tmp_path, records, stopped, monkeypatch)
    assert read_confirmed(tmp_path, stopped.config, records) == {}


def test_confirm_without_config_trains_nothing(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SeededSession(Config(0, Search(None)), [])
    run_confirm(tmp_path, records, plain, monkeypatch)
    assert not plain.trained
    assert not read_results_by_seed(RunDirectory(tmp_path))


def test_confirm_includes_baseline_over_limits(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    exceeding = [
        replace(record, over_limits="params") if record.baseline else record for record in records
    ]
    run_confirm(tmp_path, exceeding, session(top=1), monkeypatch)
    statistics = seed_statistics(exceeding, read_results_by_seed(RunDirectory(tmp_path)), 1)
    assert {0, 1} < set(statistics)
    assert pick_trial(exceeding, "best", statistics).baseline is None
