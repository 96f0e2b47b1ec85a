"""Whose weights stay on disk."""

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
    """Δm of a score is 100 (score - 1)."""
    candidate = Candidate(SharingPlan.hard(["a", "b"], 2))
    results = {task: TaskResult({"score": score}, SCORE) for task in ("a", "b")}
    return TrialRecord(number, "complete", None, candidate, 1, 1, results)


RECORDS = [
    replace(trial(0, 1.0), baseline="independent"),
    replace(trial(1, 0.1), baseline="hard"),
    trial(2, 0.5),
    trial(3, 1.0),
    trial(4, 0.9),
    trial(5, 2.0),
    replace(trial(6, 9.0), state="failed"),
]
"""Of the proposed ones 5 is best, then 3, whose Δm is exactly 0, then 4 and 2."""


@pytest.mark.parametrize(
    ("keep_weights", "stay"),
    [
        ("all", [0, 1, 2, 3, 4, 5]),
        (1, [0, 1, 5]),
        (2, [0, 1, 3, 5]),
        (3, [0, 1, 3, 4, 5]),
        (9, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_the_best_and_the_baselines_stay(
    tmp_path: Path, keep: Literal["all"] | int, stay: list[int]
) -> None:
    run = RunDirectory(tmp_path)
    for record in RECORDS[:-1]:
        run.trial(record.number).mkdir(parents=True)
        run.weights(record.number).write_bytes(b"weights")
        run.history(record.number).write_text("epoch\n")
    for _ in range(2):  # a second time there is less to forget
        prune_weights(run, RECORDS, keep)
        left = [at for at in range(6) if run.weights(at).is_file()]
        assert left == stay
    assert all(run.history(at).is_file() for at in range(6))


def test_what_was_confirmed_stays(tmp_path: Path) -> None:
    """The best by the mean over seeds may be the last by one seed."""
    run = RunDirectory(tmp_path)
    for record in RECORDS[:-1]:
        run.trial(record.number).mkdir(parents=True)
        run.weights(record.number).write_bytes(b"weights")
    prune_weights(run, RECORDS, 1, confirmed={0, 1, 2, 4})
    assert [at for at in range(6) if run.weights(at).is_file()] == [0, 1, 2, 4, 5]
