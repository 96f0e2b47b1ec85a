"""Records come back from Optuna as they went in, whatever stopped the process."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from mtlsearch.results import TaskResult, TrialRecord
from mtlsearch.search import NullProgress, search
from mtlsearch.search.space._proposal import propose_baseline
from mtlsearch.study import TrialStore
from tests.search.synthetic import SCORE, Formula, space_for
from tests.search.test_search import run, store_at

SPACE = space_for(Formula(), loss_weights="search")


def begin(store: TrialStore, baseline: Any = "independent") -> TrialRecord:
    proposal = propose_baseline(SPACE, baseline)
    return store.start(
        TrialRecord(0, "running", baseline, proposal.candidate, 12, 34),
        proposal.params,
        proposal.distributions,
    )


def complete(record: TrialRecord, score: float) -> TrialRecord:
    results = {task: TaskResult({"score": score}, SCORE) for task in ("a", "b", "c")}
    return replace(record, state="complete", results=results, epochs=2, seconds=1.5)


def test_a_trial_comes_back(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    started = begin(store)
    assert store_at(tmp_path).records() == [started]
    first = complete(started, 2.0)
    store.finish(first, 0.0)
    second = begin(store, "hard")
    assert (first.number, second.number) == (0, 1)
    failed = replace(second, state="failed", reason="it would not train")
    store.finish(failed, None)
    again = store_at(tmp_path)
    assert again.records() == [first, failed]
    assert [trial.state for trial in again.trials] == [TrialState.COMPLETE, TrialState.FAIL]
    assert again.trials[0].value == 0.0
    assert set(again.trials[0].params) == set(propose_baseline(SPACE, "independent").params)


def test_numbers_that_json_does_not_have(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    odd = complete(begin(store), math.inf)
    store.finish(odd, None)
    assert store_at(tmp_path).records() == [odd]


def test_what_a_kill_left_running_is_interrupted(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    left = begin(store)
    again = store_at(tmp_path)
    assert again.mark_interrupted() == 1
    assert again.mark_interrupted() == 0
    (record,) = again.records()
    assert record.state == "interrupted"
    assert "paused" in record.reason
    assert record.candidate == left.candidate
    assert again.trials[0].state is TrialState.FAIL


@pytest.mark.parametrize("state", ["complete", "failed"])
def test_a_kill_between_the_two_writes_of_an_end_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Any
) -> None:
    store = store_at(tmp_path)
    store.finish(complete(begin(store), 2.0), 0.0)
    ended = replace(complete(begin(store, "hard"), 3.0), state=state)

    def killed(*_: object, **__: object) -> None:
        raise SystemError("killed")

    monkeypatch.setattr(optuna.Study, "tell", killed)
    with pytest.raises(SystemError):
        store.finish(ended, 50.0)
    monkeypatch.undo()
    again = store_at(tmp_path)
    assert again.trials[1].state is TrialState.RUNNING
    assert again.mark_interrupted() == 1
    assert again.records()[1] == ended
    assert again.trials[1].value == (50.0 if state == "complete" else None)


def test_a_stranger_s_trial_is_left_alone(tmp_path: Path) -> None:
    """Somebody who opens the study in another tool may add to it."""
    store = run(tmp_path, Formula(), 3)
    store._study.enqueue_trial({"split_1": 0})
    store._study.ask()
    evaluator = Formula()
    again = store_at(tmp_path)
    search(space_for(evaluator), evaluator, again, trials=5, seed=0, progress=NullProgress())
    assert len(evaluator.measured) == 2
    assert len(again.records()) == 5
    assert len(again.trials) == 6


def test_two_studies_in_one_storage(tmp_path: Path) -> None:
    from mtlsearch.study import open_storage

    storage = open_storage(None, tmp_path / "study.journal")
    assert not TrialStore.is_in(storage, "one")
    one, other = TrialStore(storage, "one"), TrialStore(storage, "other")
    begin(one)
    assert TrialStore.is_in(storage, "one")
    assert len(one.records()) == 1
    assert not other.records()
    assert other.mark_interrupted() == 0
