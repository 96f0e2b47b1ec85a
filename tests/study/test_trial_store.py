"""Trial store: records are unchanged after storage, however the process ends."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from mtlsearch.results import TaskResult, TrialRecord, deltas, reference_trial, rung_ranks
from mtlsearch.search import search
from mtlsearch.search.space import propose_baseline
from mtlsearch.study import FINISHED_STATES, StudyView, TrialStore
from tests.search.curves import Curves
from tests.search.curves import run as run_curves
from tests.search.synthetic import SCORE, Formula, space_for
from tests.search.test_search import run, store_at

SPACE = space_for(Formula(), loss_weights="search")


def start(store: TrialStore, baseline: Any = "independent") -> TrialRecord:
    proposal = propose_baseline(SPACE, baseline)
    return store.start(
        TrialRecord(0, "running", baseline, proposal.candidate, 12, 34),
        proposal.params,
        proposal.distributions,
    )


def complete(record: TrialRecord, score: float) -> TrialRecord:
    results = {task: TaskResult({"score": score}, SCORE) for task in ("a", "b", "c")}
    return replace(record, state="complete", results=results, epochs=2, seconds=1.5)


def test_trial_is_unchanged_after_storage(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    started = start(store)
    assert store_at(tmp_path).records() == [started]
    first = complete(started, 2.0)
    store.finish(first, 0.0)
    second = start(store, "hard")
    assert (first.number, second.number) == (0, 1)
    failed = replace(second, state="failed", reason="it would not train")
    store.finish(failed, None)
    again = store_at(tmp_path)
    assert again.records() == [first, failed]
    assert [trial.state for trial in again.trials] == [TrialState.COMPLETE, TrialState.FAIL]
    assert again.trials[0].value == 0.0
    assert set(again.trials[0].params) == set(propose_baseline(SPACE, "independent").params)


def test_infinite_result_is_unchanged_after_storage(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    infinite = complete(start(store), math.inf)
    store.finish(infinite, None)
    assert store_at(tmp_path).records() == [infinite]


def test_killed_trial_is_marked_interrupted(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    killed = start(store)
    again = store_at(tmp_path)
    assert again.mark_interrupted() == 1
    assert again.mark_interrupted() == 0
    (record,) = again.records()
    assert record.state == "interrupted"
    assert "stopped" in record.reason
    assert record.candidate == killed.candidate
    assert again.trials[0].state is TrialState.FAIL


@pytest.mark.parametrize("state", ["complete", "failed"])
def test_kill_between_the_two_writes_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Any
) -> None:
    store = store_at(tmp_path)
    store.finish(complete(start(store), 2.0), 0.0)
    ended = replace(complete(start(store, "hard"), 3.0), state=state)

    def kill(*_: object, **__: object) -> None:
        raise SystemError("killed")

    monkeypatch.setattr(JournalStorage, "set_trial_state_values", kill)
    with pytest.raises(SystemError):
        store.finish(ended, 50.0)
    monkeypatch.undo()
    again = store_at(tmp_path)
    assert again.trials[1].state is TrialState.RUNNING
    assert again.mark_interrupted() == 1
    assert again.records()[1] == ended
    assert again.trials[1].value == (50.0 if state == "complete" else None)


def test_trial_of_another_tool_is_ignored(tmp_path: Path) -> None:
    """Any Optuna tool can add trials to the study."""
    store = run(tmp_path, Formula(), 3)
    store._study.enqueue_trial({"split_1": 0})
    store._study.ask()
    evaluator = Formula()
    again = store_at(tmp_path)
    search(space_for(evaluator), evaluator, again, trials=5, seed=0)
    assert len(evaluator.measured) == 2
    assert len(again.records()) == 5
    assert len(again.trials) == 6


def test_studies_of_one_storage_are_separate(tmp_path: Path) -> None:
    from mtlsearch.study import open_storage

    storage = open_storage(None, tmp_path / "study.journal")
    assert not TrialStore.is_in(storage, "first")
    first, second = TrialStore(storage, "first"), TrialStore(storage, "second")
    start(first)
    assert TrialStore.is_in(storage, "first")
    assert len(first.records()) == 1
    assert not second.records()
    assert second.mark_interrupted() == 0


@pytest.mark.parametrize("url", [None, "sqlite:///{}/study.db"])
def test_private_trial_id_updates_a_running_trial(tmp_path: Path, url: str | None) -> None:
    """``FrozenTrial._trial_id`` is private to Optuna, which may rename it."""
    store = store_at(tmp_path, url and url.format(tmp_path))
    start(store)
    second = start(store, "hard")
    store.write(replace(second, note="updated"))
    again = store_at(tmp_path, url and url.format(tmp_path))
    assert [record.note for record in again.records()] == ["", "updated"]


def test_view_is_built_once_per_write(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    empty = store.view()
    assert store.view() is empty
    record = start(store)
    running = store.view()
    assert running.records == (record,)
    store.finish(complete(record, 2.0), 0.0)
    assert store.view() is store.view()
    assert (empty.num_finished, running.num_finished, store.view().num_finished) == (0, 0, 1)


def test_view_keeps_records_that_did_not_change(tmp_path: Path) -> None:
    store = run(tmp_path, Formula(), 3)
    before = store.view().records
    start(store)
    after = store.view().records
    assert all(old is new for old, new in zip(before, after, strict=False))


def test_view_derives_its_values_from_the_records() -> None:
    store = run_curves(TrialStore.in_memory(), Curves(), 12)
    view = store.view()
    assert view.records == tuple(store.records())
    assert view.reference == reference_trial(view.records)
    assert view.delta_m_by_number == deltas(view.records)
    assert view.rung_ranks == rung_ranks(view.records)
    assert view.num_finished == 12
    best = max(view.delta_m_by_number.items(), key=lambda item: item[1])
    assert view.best == best
    params = {number: trial.params for number, trial in view.params_by_number.items()}
    assert params == {trial.number: trial.params for trial in store.trials}


@pytest.mark.parametrize("seed", range(4))
def test_views_of_a_changing_store_equal_views_of_its_records(seed: int) -> None:
    """The index is updated by what changed, a view without a store computes everything."""
    rng = Random(seed)
    store, views = TrialStore.in_memory(), list[StudyView]()
    for _ in range(60):
        unfinished = [record for record in store.records() if record.state in UNFINISHED]
        if not unfinished or rng.random() < 0.4:
            store.start(replace(start_values(rng), number=0))
        else:
            record = changed(rng.choice(unfinished), rng)
            if record.state in UNFINISHED:
                store.write(record)
            else:
                store.finish(record, 0.0 if record.state == "complete" else None)
        views.append(store.view())
    for view in (*views, store.view()):  # all but the last are older than the index
        assert_derived_values_are_those_of_its_records(view)


UNFINISHED = ("running", "paused")


def start_values(rng: Random) -> TrialRecord:
    baseline = rng.choice(["independent", "hard", None, None, None])
    candidate = propose_baseline(SPACE, baseline or "hard").candidate
    repeats = rng.choice([None, None, None, 0])
    over_limits = rng.choice(["", "", "too slow"])
    return TrialRecord(
        0, "running", baseline, candidate, 12, 34, over_limits=over_limits, repeats=repeats
    )


def changed(record: TrialRecord, rng: Random) -> TrialRecord:
    state = rng.choice(["running", "paused", "paused", "complete", "complete", "failed"])
    last = max(record.rung_results, default=0)
    rungs = dict(record.rung_results)
    if state == "paused":
        rungs[last + 1] = some_results(rng)
    results = some_results(rng) if state == "complete" else {}
    return replace(record, state=state, rung_results=rungs, results=results)


def some_results(rng: Random) -> dict[str, TaskResult]:
    score = rng.choice([0.5, 1.0, 1.5, math.nan])
    return {task: TaskResult({"score": score}, SCORE) for task in ("a", "b", "c")}


def assert_derived_values_are_those_of_its_records(view: StudyView) -> None:
    paused = [record for record in view.records if record.state == "paused"]
    assert view.reference == reference_trial(view.records)
    assert list(view.delta_m_by_number.items()) == list(deltas(view.records).items())
    finished = [r for r in (*view.records, *view.repeats) if r.state in FINISHED_STATES]
    assert view.num_finished == len(finished)
    within = {r.number for r in view.records if not r.over_limits}
    ranked = [item for item in view.delta_m_by_number.items() if item[0] in within]
    assert view.best == max(ranked, key=lambda item: item[1], default=None)
    assert view.rung_ranks == rung_ranks(view.records)
    for number, rank in view.rung_ranks.items():
        assert view.rung_rank(number) == rank
    assert view.paused_outside([2]) == tuple(r for r in paused if max(r.rung_results) != 2)
    for epoch in (1, 2, 3):
        ranking = view.rung_ranking(epoch)
        at_epoch = [r for r in ranking if r.state == "paused" and max(r.rung_results) == epoch]
        best = view.best_paused(epoch)
        if best is None:
            assert not at_epoch
        else:
            record, rank, num_measured = best
            assert (record, num_measured) == (at_epoch[0], len(ranking))
            assert ranking[rank - 1] is record


def test_view_lists_what_changed_since_another_view(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    empty, record = store.view(), start(store)
    running = store.view()
    store.finish(complete(record, 2.0), 0.0)
    second = start(store, "hard")
    last = store.view()
    assert running.changed_since(empty) == (record.number,)
    assert last.changed_since(running) == last.changed_since(empty) == (0, second.number)
    assert last.changed_since(last) == ()
    assert last.changed_since(StudyView()) is None


@pytest.mark.parametrize("url", [None, "sqlite:///{}/study.db"])
def test_refresh_reads_what_another_process_wrote(tmp_path: Path, url: str | None) -> None:
    url = url and url.format(tmp_path)
    store, other = store_at(tmp_path, url), store_at(tmp_path, url)
    record = start(other)
    assert store.refresh().records == (record,)
    assert store.refresh() is store.view()
    other.finish(complete(record, 2.0), 0.0)
    assert store.refresh().records == (complete(record, 2.0),)
    assert store.view().reference == complete(record, 2.0)


def test_empty_view_has_no_reference_and_no_best() -> None:
    view = StudyView()
    assert view.reference is None
    assert view.best is None
    assert view.num_finished == 0
    assert view.reference_results() == view.reference_results(1) == {}
