"""A database that is away while several workers train."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.study.postgresql import PostgreSQLServer
from tests.study.quick_worker import open_quick_store
from tests.study.test_workers import check_study, start_worker

NUM_TRIALS = 100
NUM_WORKERS = 4
OUTAGE_SECONDS = 20.0


@pytest.mark.slow
def test_outage_loses_no_trial_and_trains_none_twice(
    postgresql: PostgreSQLServer, tmp_path: Path
) -> None:
    url = postgresql.new_database()
    measured = tmp_path / "measured"
    measured.mkdir()

    def num_measured() -> int:
        return len(list(measured.iterdir()))

    workers = [start_worker(tmp_path, NUM_TRIALS, url) for _ in range(NUM_WORKERS)]
    try:
        while num_measured() < NUM_TRIALS // 4:
            assert all(worker.poll() is None for worker in workers)
            time.sleep(0.2)
        postgresql.stop()
        num_before = num_measured()
        time.sleep(OUTAGE_SECONDS)
        # Each worker ends what it trains, and then waits for the database.
        assert num_measured() <= num_before + NUM_WORKERS
        assert all(worker.poll() is None for worker in workers)
        postgresql.start()
        for worker in workers:
            _, errors = worker.communicate(timeout=300)
            assert worker.returncode == 0, errors.decode()
    finally:
        for worker in workers:
            worker.kill()
    check_study(tmp_path, url, NUM_TRIALS)
    records = open_quick_store(tmp_path, url).records()
    assert {record.state for record in records} <= {"complete", "paused"}
    # Files are named by trial and epoch: each trial was trained, and to no epoch twice.
    trainings = Counter(file.name.rpartition("-")[0] for file in measured.iterdir())
    trained = {int(name.partition("-")[0]) for name in trainings}
    assert trained == {record.number for record in records}
    assert max(trainings.values()) == 1
