"""The best is the best by mean over seeds; what was interrupted goes on."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from mtlsearch.config import ConfirmConfig
from mtlsearch.plugin import Candidate
from mtlsearch.results import TrialRecord, confirmed
from mtlsearch.runs import _confirm as module
from mtlsearch.runs import pick_trial, read_confirmed
from mtlsearch.runs._confirm import confirm, read_repeats
from mtlsearch.search import NullProgress, search
from mtlsearch.study import RunDirectory, TrialStore
from tests.search.synthetic import Formula, sharing_score, space_for


@dataclass
class Seeded:
    """A formula that has other luck on another seed, in the place of a session."""

    config: Any
    trained: list[tuple[int, int]]
    stops_after: int = 99

    def at(self, seed: int) -> Formula:
        formula = Formula(score=lambda candidate: sharing_score(candidate) - luck(candidate, seed))
        measure = formula.measure

        def counted(number: int, candidate: Candidate, progress: Any) -> Any:
            if len(self.trained) == self.stops_after:
                raise KeyboardInterrupt
            self.trained.append((seed, number))
            return measure(number, candidate, progress)

        cast(Any, formula).measure = counted
        return formula


def luck(candidate: Candidate, seed: int) -> float:
    """The plan that was best on seed 0 owed it to chance."""
    return 0.5 if seed and sharing_score(candidate) == 2.0 else 0.0


@dataclass
class Config:
    """What of a run's configuration a confirmation looks at."""

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


def go(run: Path, records: list[TrialRecord], session: Seeded, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "again", lambda own, folder, *, seed: own.at(seed))
    confirm(
        cast(Any, session),
        RunDirectory(run),
        records,
        NullProgress(),
        together=cast(Any, nullcontext),
        alone=True,
    )


def session(top: int = 2, seeds: int = 3, **stops: int) -> Seeded:
    return Seeded(Config(0, Search(ConfirmConfig(top=top, seeds=seeds))), [], **stops)


def test_the_best_by_mean_is_picked(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_chance = pick_trial(records, "best")
    go(tmp_path, records, session(top=3), monkeypatch)
    found = confirmed(records, read_repeats(RunDirectory(tmp_path)), 3)
    best = pick_trial(records, "best", found)
    assert luck(by_chance.candidate, 1) > 0
    assert found[best.number].mean == max(one.mean for one in found.values())
    assert {one.num_seeds for one in found.values()} == {3}
    assert pick_trial(records, by_chance.number, found) == by_chance


def test_it_goes_on_where_it_was_stopped(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = session(stops_after=3), session(), session(seeds=4)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, records, first, monkeypatch)
    go(tmp_path, records, second, monkeypatch)
    go(tmp_path, records, third, monkeypatch)
    assert len(first.trained) == 3
    assert not set(first.trained) & set(second.trained)
    assert {seed for seed, _ in first.trained + second.trained} == {1, 2}
    assert len(first.trained + second.trained) == 2 * 4
    assert {seed for seed, _ in third.trained} == {3}
    assert [number for _, number in third.trained][:2] == [0, 1]


@pytest.mark.parametrize("later", [None, ConfirmConfig(top=1, seeds=3)])
def test_what_was_confirmed_is_shown_after_the_search_went_on(
    tmp_path: Path,
    records: list[TrialRecord],
    monkeypatch: pytest.MonkeyPatch,
    later: ConfirmConfig | None,
) -> None:
    """Without ``confirm``, or with one that has not begun; the best of today is not among them."""
    first = session(top=1)
    go(tmp_path, records[:4], first, monkeypatch)
    numbers = {number for _, number in first.trained}
    before = read_confirmed(tmp_path, first.config, records[:4])
    after = read_confirmed(tmp_path, cast(Any, Config(0, Search(later))), records)
    assert set(before) == numbers
    assert after == before
    assert pick_trial(records, "best", after).number in numbers
    assert pick_trial(records, "best").number not in numbers


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_first_confirmation_is_shown_when_it_is_whole(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    stopped = session(top=2, stops_after=stop)  # of four
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, records, stopped, monkeypatch)
    assert read_confirmed(tmp_path, stopped.config, records) == {}


def test_off_by_default(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Seeded(Config(0, Search(None)), [])
    go(tmp_path, records, plain, monkeypatch)
    assert not plain.trained
    assert not read_repeats(RunDirectory(tmp_path))


def test_a_baseline_over_the_budget_is_confirmed_and_not_picked(
    tmp_path: Path, records: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    dear = [replace(at, over_limits="params") if at.baseline else at for at in records]
    go(tmp_path, dear, session(top=1), monkeypatch)
    found = confirmed(dear, read_repeats(RunDirectory(tmp_path)), 1)
    assert {0, 1} < set(found)
    assert pick_trial(dear, "best", found).baseline is None
