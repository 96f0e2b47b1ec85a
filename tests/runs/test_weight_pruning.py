"""Weights and checkpoints that stay during a search, of which only changed trials are compared."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from mtlsearch.config import SearchConfig
from mtlsearch.results import DELTA_M
from mtlsearch.runs._run_search import weight_pruning
from mtlsearch.runs._session import Session
from mtlsearch.search import search, verdict_of
from mtlsearch.study import RunDirectory, StudyView, TrialStore
from tests.search.curves import space as curve_space
from tests.search.test_second_seeds import Noisy, space_of
from tests.study.quick_worker import QuickTraining

KEEP = 3


def session_with(**settings: object) -> Session:
    config = SearchConfig.model_validate({"keep_weights": KEEP, "trials": 99, **settings})
    session = SimpleNamespace(config=SimpleNamespace(search=config), objectives=(DELTA_M,))
    return cast(Session, session)


def write_files(run: RunDirectory, view: StudyView, former: StudyView) -> None:
    """Write what a training writes: weights at its end, a checkpoint where it pauses."""
    for number in view.changed_since(former) or range(len(view.records)):
        record = view.record(number)
        run.trial(number).mkdir(parents=True, exist_ok=True)
        if record.state == "complete":
            run.weights(number).write_bytes(b"weights")
        if record.state in ("complete", "paused"):
            run.checkpoint(number).write_bytes(b"checkpoint")


def check_weights(run: RunDirectory, view: StudyView) -> None:
    """Check that the best trials and the baselines have weights, and at most one more."""
    complete = [record for record in view.records if record.state == "complete"]
    proposed = [record for record in complete if record.baseline is None]
    ranked = sorted(proposed, key=lambda record: -view.delta_m_by_number[record.number])
    expected = {record.number for record in ranked[:KEEP]}
    present = {record.number for record in complete if run.weights(record.number).is_file()}
    baselines = {record.number for record in complete if record.baseline is not None}
    assert expected | baselines <= present
    assert len(present - expected - baselines) <= 1
    verdict = verdict_of(view)
    if verdict is not None and view.num_finished <= KEEP + 3:  # none was deleted before
        assert verdict.winner in present


@pytest.mark.parametrize("kind", ["early stopping", "full"])
def test_pruning_keeps_the_best_files_at_each_moment(tmp_path: Path, kind: str) -> None:
    run, store = RunDirectory(tmp_path), TrialStore.in_memory()
    evaluator = QuickTraining(folder=tmp_path / "training", seconds=0.0)
    has_rungs = kind == "early stopping"
    (tmp_path / "training").mkdir()
    space = curve_space(evaluator) if has_rungs else space_of()
    prune = weight_pruning(run, session_with(**({"early_stopping": {}} if has_rungs else {})))
    assert prune is not None
    former, num_paused = StudyView(), 0

    def after_each(view: StudyView) -> None:
        nonlocal former, num_paused
        write_files(run, view, former)
        former = view
        prune(view)
        if view.reference is not None and len(view.records) > KEEP:
            check_weights(run, view)
            paused = [record for record in view.records if record.state == "paused"]
            kept = [record for record in paused if run.checkpoint(record.number).is_file()]
            rungs = {max(record.rung_results) for record in paused}
            assert len(kept) <= KEEP * len(rungs)
            num_paused = max(num_paused, len(paused))
            ended = [record for record in view.records if record.state == "complete"]
            assert not any(run.checkpoint(record.number).is_file() for record in ended)

    trained = evaluator if has_rungs else Noisy().at_seed(0)
    search(space, trained, store, trials=40, seed=0, after_each=after_each)
    assert (num_paused > KEEP) == has_rungs
