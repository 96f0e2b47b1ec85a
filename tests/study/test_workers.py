"""Several workers in one study: none trains what another has, and no death loses a trial."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from mtlsearch.results import TaskResult, TrialRecord, deltas, leaderboard
from mtlsearch.search.space import propose_baseline
from mtlsearch.study import ClaimLostError, TrialStore, _trial_store, _worker, open_storage
from tests.search.synthetic import SCORE, Formula, space_for
from tests.study.postgresql import PostgreSQLServer
from tests.study.quick_worker import open_quick_store

SPACE = space_for(Formula())
KINDS = ("memory", "journal", "sqlite")


def record_of(baseline: str = "hard") -> TrialRecord:
    proposal = propose_baseline(SPACE, baseline)  # type: ignore[arg-type]
    return TrialRecord(0, "running", proposal.baseline, proposal.candidate, 12, 34)


def complete(record: TrialRecord, score: float) -> TrialRecord:
    results = {task: TaskResult({"score": score}, SCORE) for task in ("a", "b", "c")}
    return replace(record, state="complete", results=results, epochs=1)


def paused(record: TrialRecord) -> TrialRecord:
    done = complete(record, 1.0)
    return replace(done, state="paused", results={}, rung_results={1: done.results})


def stores_of(kind: str, folder: Path, count: int) -> list[TrialStore]:
    """Return stores of one study, each with its own connection, as in several processes."""
    memory = InMemoryStorage()

    def open_one() -> BaseStorage:
        if kind == "memory":
            return memory
        url = f"sqlite:///{folder}/study.db" if kind == "sqlite" else None
        return open_storage(url, folder / "study.journal")

    return [TrialStore(open_one(), "test") for _ in range(count)]


@contextmanager
def workers(kind: str, folder: Path, count: int) -> Iterator[list[TrialStore]]:
    """Yield stores of living workers."""
    with ExitStack() as stack:
        stores = stores_of(kind, folder, count)
        for store in stores:
            stack.enter_context(store.joined(folder))
        yield stores


def die(store: TrialStore) -> None:
    """End a worker as SIGKILL does: its lock is free, its heartbeat stays."""
    worker = store._worker
    assert worker is not None
    worker._has_ended.set()
    worker._thread.join()
    worker._lock.release()


def winners(stores: list[TrialStore], claim: Callable[[TrialStore], object]) -> list[TrialStore]:
    """Let all workers claim at the same moment; return those that succeed."""
    barrier = threading.Barrier(len(stores))

    def claim_one(store: TrialStore) -> bool:
        store.refresh()
        barrier.wait()
        try:
            claim(store)
        except ClaimLostError:
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as pool:
        won = list(pool.map(claim_one, stores))
    return [store for store, has_won in zip(stores, won, strict=True) if has_won]


@settings(max_examples=4, deadline=None)
@given(count=st.integers(2, 4))
@pytest.mark.parametrize("kind", KINDS)
def test_exactly_one_worker_starts_a_candidate(
    tmp_path_factory: pytest.TempPathFactory, kind: str, count: int
) -> None:
    folder = tmp_path_factory.mktemp(kind)
    with workers(kind, folder, count) as stores:
        assert len(winners(stores, lambda store: store.start(record_of()))) == 1
        (record,) = stores[0].records()
        assert record.state == "running"
        states = Counter(trial.state for trial in stores[0].trials)
        assert states[TrialState.RUNNING] == 1
        with pytest.raises(ClaimLostError):
            stores[-1].start(record_of())
    assert [file.name for file in folder.glob(".worker-*")] == []


@settings(max_examples=4, deadline=None)
@given(count=st.integers(2, 3), rounds=st.integers(2, 4))
@pytest.mark.parametrize("kind", KINDS)
def test_exactly_one_worker_resumes_a_paused_trial(
    tmp_path_factory: pytest.TempPathFactory, kind: str, count: int, rounds: int
) -> None:
    """Also the worker that had it before, of which a journal keeps the last claim."""
    with workers(kind, tmp_path_factory.mktemp(kind), count) as stores:
        record = paused(stores[0].start(record_of()))
        owner = stores[0]
        for _ in range(rounds):
            owner.write(record)
            assert [store.records()[0].state for store in stores] == ["paused"] * count
            (owner,) = winners(stores, lambda store: store.claim(record))
            assert [store.records()[0].state for store in stores] == ["running"] * count


@pytest.mark.parametrize("kind", KINDS)
def test_claim_with_an_outdated_record_is_lost(tmp_path: Path, kind: str) -> None:
    """Else the same epochs would be trained twice."""
    with workers(kind, tmp_path, 2) as (first, second):
        early = paused(first.start(record_of()))
        first.write(early)
        further = replace(early, rung_results={**early.rung_results, 9: early.rung_results[1]})
        first.claim(early)
        first.write(further)
        with pytest.raises(ClaimLostError):
            second.claim(early)
        assert second.update().records[0].state == "paused"
        assert second.claim(further).state == "running"


@pytest.mark.parametrize("kind", KINDS)
def test_journal_claim_of_a_former_owner_is_no_second_one(tmp_path: Path, kind: str) -> None:
    """The former owner looks, another worker claims, then the former owner claims."""
    with workers(kind, tmp_path, 2) as (former, other):
        record = paused(former.start(record_of()))
        former.write(record)
        former.claim(record)
        former.write(record)
        set_state = type(former._storage).set_trial_state_values

        def set_late(storage: BaseStorage, *arguments: object) -> bool:
            if storage is not other._storage or kind == "memory":
                other.claim(record)
            return set_state(storage, *arguments)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            if kind != "memory":
                patch.setattr(type(former._storage), "set_trial_state_values", set_late)
                with pytest.raises(ClaimLostError):
                    former.claim(record)
                return
        other.claim(record)
        with pytest.raises(ClaimLostError):
            former.claim(record)


@pytest.mark.parametrize("is_seen_between", [True, False])
def test_each_claim_has_its_own_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_seen_between: bool
) -> None:
    """A worker sees two claims before their records are written; only the second one is dead."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(_trial_store, "time", SimpleNamespace(monotonic=lambda: clock.now))
    with workers("memory", tmp_path, 2) as (worker, watcher):
        early = paused(worker.start(record_of()))
        further = replace(early, rung_results={**early.rung_results, 9: early.rung_results[1]})
        for record in (early, further):
            worker.write(record)
            worker._storage.set_trial_state_values(worker._id_of(0), TrialState.RUNNING)
            assert watcher.update().records[0].state == "running"
            clock.now += 50.0
            if record == early:
                worker.write(replace(record, state="running"))
                if is_seen_between:
                    watcher.update()
        clock.now += 5.0
        assert watcher.update().records[0].state == "running"
        clock.now += 10.0
        assert watcher.update().records[0].state == "interrupted"


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_one_worker_takes_the_trial_of_a_dead_one(tmp_path: Path, kind: str) -> None:
    with workers(kind, tmp_path, 4) as (victim, *others):
        started = victim.start(record_of())
        assert [store.mark_interrupted() for store in others] == [0, 0, 0]
        die(victim)
        (finder,) = winners(others, take_over)
        assert finder.records()[0].state == "interrupted"
        assert [record.number for record in others[0].interrupted()] == []
        (taken,) = [record for record in finder.records() if record.state == "running"]
        assert taken.candidate == started.candidate
        assert [record.number for record in finder.interrupted_before(started)] == [0]


def take_over(store: TrialStore) -> None:
    store.mark_interrupted()
    for record in store.interrupted():
        store.start(replace(record, state="running"))
        return
    raise ClaimLostError


@pytest.mark.parametrize("kind", KINDS)
def test_late_worker_cannot_change_a_trial_that_was_taken(tmp_path: Path, kind: str) -> None:
    with workers(kind, tmp_path, 2) as (late, other):
        record = late.start(record_of())
        die(late)
        other.mark_interrupted()
        with pytest.raises(ClaimLostError):
            late.finish(complete(record, 2.0), 1.0)
        assert [trial.state for trial in other.records()] == ["interrupted"]
        assert other.view().num_finished == 0


@pytest.mark.parametrize("kind", KINDS)
def test_reader_sees_which_workers_are_alive(tmp_path: Path, kind: str) -> None:
    with workers(kind, tmp_path, 1) as (store,):
        store.start(record_of())
        (reader,) = [store] if kind == "memory" else stores_of(kind, tmp_path, 1)
        assert [record.state for record in reader.read(tmp_path).records] == ["running"]
        die(store)
        assert [record.state for record in reader.read(tmp_path).records] == ["interrupted"]
        assert store.trials[0].state is TrialState.RUNNING  # reading has written nothing


def test_trial_that_ends_before_its_reference_gets_a_value(tmp_path: Path) -> None:
    with workers("journal", tmp_path, 2) as (first, second):
        reference = first.start(record_of("independent"))
        early = complete(second.start(record_of()), 3.0)
        second.write(early)
        first.update()
        assert first.trials[1].state is TrialState.RUNNING
        first.finish(complete(reference, 2.0), 0.0)
        assert second.update().num_finished == 2
        assert [trial.state for trial in second.trials] == [TrialState.COMPLETE] * 2
        assert second.trials[1].value == pytest.approx(50.0)


def test_worker_on_another_host_is_dead_without_heartbeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(_worker, "time", SimpleNamespace(time=time.time, monotonic=lambda: now))
    with workers("journal", tmp_path, 2) as (here, there):
        assert here._worker is not None
        assert there._worker is not None
        there.start(record_of())
        beats = there._worker._heartbeats
        for now in (0.0, 50.0, 100.0):  # the heartbeat changes
            here._worker._last_beat = now
            beats.write(there._worker.id, _worker.Heartbeat("elsewhere", 1, now))
            assert here.mark_interrupted() == 0
        for now, num_ended in ((150.0, 0), (159.0, 0), (161.0, 1)):
            here._worker._last_beat = now
            assert here.mark_interrupted() == num_ended


def test_outage_kills_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the storage is away, no worker can leave a heartbeat."""
    now = 0.0
    monkeypatch.setattr(_worker, "time", SimpleNamespace(time=time.time, monotonic=lambda: now))
    with workers("sqlite", tmp_path / "..", 1) as (here,), workers("sqlite", tmp_path, 1):
        worker = here._worker
        assert worker is not None
        other = _worker.Heartbeat("elsewhere", 1, 0.0)
        assert worker._is_alive("x", other)
        now = 500.0
        assert worker._is_alive("x", other)  # this worker has not written a heartbeat either
        worker._last_beat = worker._available_since = now
        now = 555.0
        worker._last_beat = now
        assert worker._is_alive("x", other)
        now = 561.0
        worker._last_beat = now
        assert not worker._is_alive("x", other)


def start_worker(folder: Path, trials: int, url: str | None) -> subprocess.Popen[bytes]:
    arguments = [str(folder), str(trials), *([url] if url else [])]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.study.quick_worker", *arguments],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
    )


def check_study(folder: Path, url: str | None, trials: int) -> None:
    """Check that trials count once, and that leaderboard, records and storage agree."""
    store = open_quick_store(folder, url)
    records = store.records()
    finished = [record for record in records if record.state in ("complete", "paused", "failed")]
    assert len(finished) == store.view().num_finished == trials
    assert len({record.candidate.digest for record in finished}) == trials
    assert {record.state for record in records} <= {"complete", "paused", "interrupted"}
    shown = leaderboard(records)
    assert set(shown[shown["state"] == "complete"]["trial"]) == {
        trial.number for trial in store.trials if trial.state is TrialState.COMPLETE
    }
    values = {
        trial.number: trial.value for trial in store.trials if trial.state is TrialState.COMPLETE
    }
    assert values == pytest.approx(deltas(records))
    states = {trial.state for trial in store.trials if "record" in trial.user_attrs}
    assert TrialState.RUNNING not in states


def test_first_starts_on_an_empty_study_all_succeed(tmp_path: Path) -> None:
    processes = [start_worker(tmp_path, 8, f"sqlite:///{tmp_path}/new.db") for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    check_study(tmp_path, f"sqlite:///{tmp_path}/new.db", 8)
    measured = [file.name.rsplit("-", 1)[0] for file in (tmp_path / "measured").iterdir()]
    assert len(measured) == len(set(measured))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_killed_workers_lose_no_finished_trial(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    """A random worker is killed after each few trials while 100 trials run."""
    url = None
    if kind == "postgresql":
        server: PostgreSQLServer = request.getfixturevalue("postgresql")
        url = server.new_database()
    rng, trials = random.Random(0), 100
    reader = open_quick_store(tmp_path, url)
    alive = [start_worker(tmp_path, trials, url) for _ in range(3)]
    finished: dict[int, TrialRecord] = {}
    num_kills, next_kill, deadline = 0, 3, time.monotonic() + 300
    while any(process.poll() is None for process in alive) and time.monotonic() < deadline:
        time.sleep(rng.uniform(0.1, 0.5))
        # A reader is served at every moment and sees what was finished before, unchanged.
        seen = {record.number: record for record in reader.read(tmp_path).records}
        for number, record in finished.items():
            assert seen[number] == record or record.state == "paused"
        finished = {n: r for n, r in seen.items() if r.state in ("complete", "paused")}
        if next_kill <= len(finished) < trials - 5:
            next_kill = len(finished) + rng.randrange(3, 8)
            victim = rng.choice([process for process in alive if process.poll() is None])
            victim.kill()
            victim.communicate()
            num_kills += 1
            alive[alive.index(victim)] = start_worker(tmp_path, trials, url)
    for process in alive:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    assert num_kills >= 5
    check_study(tmp_path, url, trials)
    assert not list(tmp_path.glob(".worker-*"))
    assert not list(tmp_path.glob("*.tmp*"))
