"""The retention policy keeps the best weights and those of baselines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.results import TaskResult, TrialRecord, objectives_of
from mtlsearch.study import RunDirectory
from mtlsearch.study._retention import prune_weights
from tests.search.synthetic import SCORE


def trial(number: int, score: float) -> TrialRecord:
    """Return a complete trial whose Δm is 100 (score - 1) percent."""
    candidate = Candidate(SharingPlan.hard(["a", "b"], 2))
    results = {task: TaskResult({"score": score}, SCORE) for task in ("a", "b")}
    return TrialRecord(number, "complete", None, candidate, 1, 1, results)


def numbers_with_weights(run: RunDirectory) -> list[int]:
    return [number for number in range(6) if run.weights(number).is_file()]


RECORDS = [
    replace(trial(0, 1.0), baseline="independent"),
    replace(trial(1, 0.1), baseline="hard"),
    trial(2, 0.5),
    trial(3, 1.0),
    trial(4, 0.9),
    trial(5, 2.0),
    replace(trial(6, 9.0), state="failed"),
]
"""Proposed trials by rank: 5, 3 (Δm exactly 0), 4, 2."""


@pytest.mark.parametrize(
    ("keep", "stay"),
    [
        ("all", [0, 1, 2, 3, 4, 5]),
        (1, [0, 1, 5]),
        (2, [0, 1, 3, 5]),
        (3, [0, 1, 3, 4, 5]),
        (9, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_prune_weights_keeps_best_trials_and_baselines(
    tmp_path: Path, keep: Literal["all"] | int, stay: list[int]
) -> None:
    run = RunDirectory(tmp_path)
    for record in RECORDS[:-1]:
        run.trial(record.number).mkdir(parents=True)
        run.weights(record.number).write_bytes(b"weights")
        run.history(record.number).write_text("epoch\n")
    for _ in range(2):  # The second call finds some weights deleted.
        prune_weights(run, RECORDS, keep)
        assert numbers_with_weights(run) == stay
    assert all(run.history(number).is_file() for number in range(6))


def test_prune_weights_keeps_confirmed_trials(tmp_path: Path) -> None:
    """The best trial by its mean over seeds may rank last by one seed."""
    run = RunDirectory(tmp_path)
    for record in RECORDS[:-1]:
        run.trial(record.number).mkdir(parents=True)
        run.weights(record.number).write_bytes(b"weights")
    prune_weights(run, RECORDS, 1, confirmed={0, 1, 2, 4})
    assert numbers_with_weights(run) == [0, 1, 2, 4, 5]


def run_with_weights(folder: Path, count: int) -> RunDirectory:
    run = RunDirectory(folder)
    for number in range(count):
        run.trial(number).mkdir(parents=True)
        run.weights(number).write_bytes(b"weights")
    return run


@pytest.mark.parametrize("state", ["running", "interrupted", "failed"])
def test_prune_weights_keeps_all_without_a_reference(
    tmp_path: Path, state: Literal["running", "interrupted", "failed"]
) -> None:
    """Other workers finish trials while one trains the reference."""
    run = run_with_weights(tmp_path, 6)
    reference = replace(RECORDS[0], state=state, results={})
    prune_weights(run, [reference, *RECORDS[1:]], 1)
    assert numbers_with_weights(run) == [0, 1, 2, 3, 4, 5]
    prune_weights(run, RECORDS, 1)
    assert numbers_with_weights(run) == [0, 1, 5]


def test_prune_weights_keeps_the_pareto_front(tmp_path: Path) -> None:
    """Trials 2 and 3 trade Δm for parameters; trial 4 has no advantage."""
    parameters = {2: 10, 3: 20, 4: 30, 5: 30}
    records = [
        replace(record, parameters=parameters.get(record.number, 100)) for record in RECORDS[:-1]
    ]
    run = run_with_weights(tmp_path, 6)
    prune_weights(run, records, 1, objectives_of(("delta_m", "params"), {}))
    assert numbers_with_weights(run) == [0, 1, 2, 3, 5]
    prune_weights(run, records, 1)
    assert numbers_with_weights(run) == [0, 1, 5]


def test_checkpoint_stays_while_the_continuing_trial_runs(tmp_path: Path) -> None:
    """Its worker may not have moved the checkpoint yet."""
    run = run_with_weights(tmp_path, 3)
    run.checkpoint(1).write_bytes(b"checkpoint")
    done = replace(trial(2, 1.0), candidate=Candidate(SharingPlan.independent(["a", "b"], 2)))
    former = replace(done, number=1, state="interrupted", results={})
    later = replace(done, state="running", results={})
    prune_weights(run, [RECORDS[0], former, later], "all")
    assert run.checkpoint(1).is_file()
    prune_weights(run, [RECORDS[0], former, done], "all")
    assert not run.checkpoint(1).is_file()
