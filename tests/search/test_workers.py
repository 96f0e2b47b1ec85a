"""Proposals of several workers: each follows from what was known, and none repeats another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from mtlsearch.results import TrialRecord
from mtlsearch.search import search
from mtlsearch.search._search import _next_proposal
from mtlsearch.search.samplers import (
    Observation,
    ObservationHistory,
    SharingModel,
    features_of,
    make_sampler,
)
from mtlsearch.study import StudyView, TrialStore
from tests.search.synthetic import QUICK_SAMPLERS, Formula, sharing_score, space_for

NUM_WORKERS, TRIALS = 3, 16


def slow_score(candidate: object) -> float:
    time.sleep(0.01)
    return sharing_score(candidate)  # type: ignore[arg-type]


def search_with_workers(folder: Path, sampler: str) -> TrialStore:
    """Search in several threads, each with its own store of one study."""
    storage = InMemoryStorage()

    def run(_: int) -> None:
        evaluator, store = Formula(score=slow_score), TrialStore(storage, "test")
        space = space_for(evaluator, sampler=sampler)
        with store.joined(folder):
            search(space, evaluator, store, trials=TRIALS, seed=3)

    TrialStore(storage, "test")
    with ThreadPoolExecutor(NUM_WORKERS) as pool:
        list(pool.map(run, range(NUM_WORKERS)))
    return TrialStore(storage, "test")


def view_then(view: StudyView, record: TrialRecord) -> StudyView:
    """Return what a worker saw when it proposed a trial."""
    assert record.basis is not None
    records = [
        replace(former, state="running", results={}, epochs=0)
        if former.number in record.basis.pending
        else former
        for former in view.records
        if former.number < record.basis.num_trials
    ]
    return StudyView(records=tuple(records), params_by_number=view.params_by_number)


@pytest.mark.parametrize("sampler", ["auto", "random"])
def test_proposals_follow_from_what_was_known(tmp_path: Path, sampler: str) -> None:
    view = search_with_workers(tmp_path, sampler).view()
    assert view.num_finished == TRIALS
    complete = [record for record in view.records if record.state == "complete"]
    assert len({record.candidate.digest for record in complete}) == TRIALS
    assert sum(bool(record.basis and record.basis.pending) for record in complete) >= 3
    space = space_for(Formula(), sampler=sampler)
    for record in complete:
        assert record.basis is not None
        assert record.basis.seed == 3
        seen = view_then(view, record)
        assert seen.num_finished == record.basis.num_finished
        observations = ObservationHistory().update(seen)
        again = _next_proposal(space, make_sampler(space), observations, seen, 3)
        assert again is not None
        assert again.candidate == record.candidate


def observations_with_pending(sampler: str) -> list[Observation]:
    store, evaluator = TrialStore.in_memory(), Formula()
    space = space_for(evaluator, sampler=sampler)
    search(space, evaluator, store, trials=6, seed=0)
    proposal = make_sampler(space).propose(ObservationHistory().update(store.view()), seed=0)
    assert proposal is not None
    store.start(
        TrialRecord(0, "running", None, proposal.candidate, 1, 1),
        proposal.params,
        proposal.distributions,
    )
    return ObservationHistory().update(store.view())


@pytest.mark.parametrize("sampler", QUICK_SAMPLERS)
def test_pending_candidate_is_not_proposed_again(sampler: str) -> None:
    observations = observations_with_pending(sampler)
    assert [item.is_pending for item in observations] == [False] * 6 + [True]
    space = space_for(Formula(), sampler=sampler)
    proposal = make_sampler(space).propose(observations, seed=0)
    assert proposal is not None
    assert proposal.candidate.digest not in {item.digest for item in observations}


def test_expected_result_lowers_the_variance_only() -> None:
    observations = observations_with_pending("auto")
    usable: Sequence[Observation] = [item for item in observations if item.changes is not None]
    model, pending = SharingModel(("a", "b", "c")), observations[-1:]
    before = model.posterior(usable)
    after = model.posterior(model.with_expected(usable, pending))
    features = features_of(observations)
    assert after.params == before.params
    np.testing.assert_allclose(after.mean(features), before.mean(features), atol=1e-6)
    here = features_of(pending)
    assert after.covariance(here, here)[0, 0] < before.covariance(here, here)[0, 0]


def test_candidate_whose_second_seed_trains_is_not_repeated() -> None:
    store, evaluator = TrialStore.in_memory(), Formula()
    search(space_for(evaluator), evaluator, store, trials=6, seed=0)
    first = store.records()[0]
    store.start(replace(first, state="running", results=MappingProxyType({}), repeats=0, seed=1))
    observations = ObservationHistory().update(store.view())
    assert [item.is_repeating for item in observations] == [True] + [False] * 5


def test_worker_waits_after_a_lost_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, evaluator = InMemoryStorage(), Formula()
    store, space = TrialStore(storage, "test"), space_for(evaluator)
    search(space, evaluator, store, trials=4, seed=3)
    proposal = make_sampler(space).propose(ObservationHistory().update(store.view()), seed=3)
    assert proposal is not None
    claim = {"of": [proposal.candidate.digest, None], "worker": "other"}
    claimed = create_trial(state=TrialState.RUNNING, user_attrs={"claim": claim, "token": "1"})
    study_id = storage.get_study_id_from_name("test")
    trial_id = storage.create_new_trial(study_id, claimed)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:  # the other worker ends
            storage.set_trial_state_values(trial_id, TrialState.FAIL)

    worker = TrialStore(storage, "test")
    monkeypatch.setattr(worker, "_living", lambda: frozenset({worker._worker_id, "other"}))
    monkeypatch.setattr(time, "sleep", sleep)
    with worker.joined(tmp_path):
        search(space, evaluator, worker, trials=5, seed=3)
    assert waits == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]
    assert worker.view().records[-1].candidate == proposal.candidate
