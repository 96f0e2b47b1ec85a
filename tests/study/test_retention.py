"""The retention policy keeps the best weights and those of baselines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.results import TaskResult, TrialRecord
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
