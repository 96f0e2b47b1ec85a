"""Failures during a trial: what counts against a candidate, and what does not."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from mtlsearch.errors import (
    DataError,
    InfrastructureError,
    PluginError,
    RunError,
)
from mtlsearch.plugin import Candidate
from mtlsearch.search import Measurement, SearchProgress, _trial_timeout, search
from mtlsearch.study import TrialStore
from tests.search.synthetic import Formula, space_for
from tests.search.test_search import run, store_at


@dataclass
class Failing(Formula):
    """Evaluator that raises an error in one trial."""

    error: BaseException | None = None
    number: int = 2

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        if number == self.number and self.error is not None:
            raise self.error
        return super().measure(number, candidate, progress, epochs)


FULL = OSError(errno.ENOSPC, "No space left on device", "weights.safetensors")
OUTSIDE = [
    (FULL, InfrastructureError, "no space is left on the disk"),
    (MemoryError(), InfrastructureError, "the memory of this machine is exhausted"),
    (
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        InfrastructureError,
        "the memory of this machine is exhausted",
    ),
    (
        RuntimeError("Error while serializing: I/O error: full (os error 28)"),
        InfrastructureError,
        "no space is left on the disk",
    ),
    (
        RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
        InfrastructureError,
        "a process that reads images ended by a signal (Killed), such as on full memory",
    ),
    (InfrastructureError("a cache file is truncated"), None, "a cache file is truncated"),
    (SystemExit(0), SystemExit, "its code ended the program (exit code 0)"),
    (KeyError("nothing"), KeyError, "KeyError: 'nothing'"),
    (PluginError("the head fails"), PluginError, "the head fails"),
    (DataError("an image was deleted"), DataError, "an image was deleted"),
    (KeyboardInterrupt(), KeyboardInterrupt, "stopped before it ended"),
]


@pytest.mark.parametrize(("error", "kind", "reason"), OUTSIDE, ids=lambda value: str(value)[:30])
def test_only_a_training_error_counts_against_a_candidate(
    tmp_path: Path, error: BaseException, kind: type[BaseException] | None, reason: str
) -> None:
    whole = Formula()
    run(tmp_path / "whole", whole, 6)
    failing = Failing(error=error)
    with pytest.raises(kind or type(error)):
        run(tmp_path, failing, 6)
    (record,) = [record for record in store_at(tmp_path).records() if record.number == 2]
    assert (record.state, record.reason) == ("interrupted", reason)
    after = Formula()
    records = run(tmp_path, after, 6).records()
    assert [record.state for record in records].count("complete") == 6
    assert "failed" not in [record.state for record in records]
    assert [*failing.measured, *after.measured] == whole.measured


def test_storage_that_fails_too_keeps_the_first_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_at(tmp_path)
    evaluator = Failing(error=FULL)
    finish = TrialStore.finish

    def fail_to_finish(self: TrialStore, record: object, value: object) -> None:
        if record.number == 2:
            raise InfrastructureError("the journal cannot be written")
        finish(self, record, value)

    with monkeypatch.context() as patch:
        patch.setattr(TrialStore, "finish", fail_to_finish)
        with pytest.raises(InfrastructureError, match="no space is left"):
            search(space_for(evaluator), evaluator, store, trials=4, seed=0)
    records = run(tmp_path, Formula(), 4).records()
    assert [record.state for record in records][:3] == ["complete", "complete", "interrupted"]


def test_failures_in_a_row_stop_the_search_with_their_cause(tmp_path: Path) -> None:
    evaluator = Formula(fails=lambda number: number in (2, 4, 5, 6))
    with pytest.raises(RunError, match="3 trials in a row failed, all for this reason: it would"):
        run(tmp_path, evaluator, 20, max_failures=3)
    states = [record.state for record in store_at(tmp_path).records()]
    assert states == ["complete", "complete", "failed", "complete", *["failed"] * 3]
    assert len(run(tmp_path, Formula(), 9, max_failures=3).records()) == 9


def test_failed_reference_is_no_failure_in_a_row(tmp_path: Path) -> None:
    evaluator = Formula(fails=lambda number: number == 0)
    with pytest.raises(RunError, match="the independent baseline cannot be measured") as caught:
        run(tmp_path, evaluator, 4, max_failures=1)
    assert "then search in a new folder" in str(caught.value)
    evaluator = Formula(fails=lambda number: number == 3)
    with pytest.raises(RunError, match="1 trial in a row failed for this reason: it would"):
        run(tmp_path, evaluator, 8, max_failures=1)


@dataclass
class Slow(Formula):
    """Evaluator that trains one trial in many steps, or hangs in one step."""

    hangs: bool = False

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        for step in range(200 if number == 2 else 2):
            time.sleep(60 if self.hangs and number == 2 else 0.01)
            progress.step(step, 1.0)
        return super().measure(number, candidate, progress, epochs)


def test_trial_that_trains_too_long_fails(tmp_path: Path) -> None:
    evaluator = Slow()
    start = time.monotonic()
    records = run(tmp_path, evaluator, 4, trial_timeout=0.2 / 60).records()
    assert time.monotonic() - start < 10
    assert [record.state for record in records] == ["complete", "complete", "failed", "complete"]
    assert records[2].reason == "it trained longer than `search.trial_timeout`, 0.00333 min"


@dataclass
class Waiting(Formula):
    """Evaluator that waits for the environment longer than the timeout, and then may fail."""

    is_outage: bool = True

    def measure(
        self,
        number: int,
        candidate: Candidate,
        progress: SearchProgress,
        epochs: int | None = None,
    ) -> Measurement:
        if number == 2:
            progress.waiting(True)
            try:
                time.sleep(0.6)
                if self.is_outage:
                    raise InfrastructureError("the bucket does not answer")
            finally:
                progress.waiting(False)
        progress.step(1, 1.0)
        return super().measure(number, candidate, progress, epochs)


def test_outage_under_a_timeout_interrupts_the_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the timeout would end the process, which waits for 0.6 s."""
    monkeypatch.setattr(_trial_timeout, "MIN_GRACE", 0.1)
    ends = list[int]()
    monkeypatch.setattr(_trial_timeout.os, "_exit", ends.append)
    timeout = 0.2 / 60
    with pytest.raises(InfrastructureError, match="does not answer"):
        run(tmp_path, Waiting(), 4, trial_timeout=timeout)
    records = run(tmp_path, Waiting(is_outage=False), 4, trial_timeout=timeout).records()
    states = ["complete", "complete", "interrupted", "complete", "complete"]
    assert [record.state for record in records] == states
    records = run(tmp_path / "short", Waiting(is_outage=False), 4, trial_timeout=timeout).records()
    assert [record.state for record in records] == ["complete"] * 4
    assert not ends


HANG = """
import sys
from pathlib import Path
from mtlsearch.search import _trial_timeout
from tests.search.test_failures import Slow
from tests.search.test_search import run
_trial_timeout.MIN_GRACE = 0.2
run(Path(sys.argv[1]), Slow(hangs=True), 4, trial_timeout=0.3 / 60)
"""


def test_trial_that_hangs_fails_and_ends_its_process(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", HANG, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert process.returncode == 75, process.stderr
    assert "did not respond within `search.trial_timeout`" in process.stderr
    records = run(tmp_path, Formula(), 4).records()
    assert [record.state for record in records] == ["complete", "complete", "failed", "complete"]
    assert records[2].reason.startswith("it did not respond within `search.trial_timeout`")
