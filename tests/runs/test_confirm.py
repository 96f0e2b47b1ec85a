"""Results of trials that an earlier version confirmed on other seeds are still read."""

from __future__ import annotations

from pathlib import Path

from mtlsearch.plugin import Candidate
from mtlsearch.results import TrialRecord
from mtlsearch.runs import pick_trial, read_confirmed
from mtlsearch.runs._confirm import read_results_by_seed
from mtlsearch.runs._retrain import write_retrained
from mtlsearch.search import search
from mtlsearch.study import RunDirectory, TrialStore
from tests.search.synthetic import Formula, sharing_score, space_for


def penalty(candidate: Candidate) -> float:
    """Return a penalty on other seeds for the plan that is best on seed 0."""
    return 0.5 if sharing_score(candidate) == 2.0 else 0.0


def searched(formula: Formula) -> list[TrialRecord]:
    store = TrialStore.in_memory()
    search(space_for(formula, sampler="random"), formula, store, trials=10, seed=0)
    return store.records()


def test_pick_trial_after_confirm_returns_best_mean(tmp_path: Path) -> None:
    records = searched(Formula())
    others = searched(
        Formula(score=lambda candidate: sharing_score(candidate) - penalty(candidate))
    )
    assert [record.candidate for record in records] == [record.candidate for record in others]
    run = RunDirectory(tmp_path)
    for record in others:
        write_retrained(run.at_seed(1), record)
    assert list(read_results_by_seed(run)) == [1]
    statistics = read_confirmed(tmp_path, records)
    assert {value.num_seeds for value in statistics.values()} == {2}
    best = pick_trial(records, "best", statistics)
    assert statistics[best.number].mean == max(value.mean for value in statistics.values())
    assert penalty(pick_trial(records, "best").candidate) > 0


def test_read_results_by_seed_ignores_second_seeds_of_a_study(tmp_path: Path) -> None:
    """They leave a history in the same folders, and their record in the study."""
    run = RunDirectory(tmp_path)
    folder = run.at_seed(1).trial(0)
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text("epoch\n0\n", encoding="utf-8")
    assert read_results_by_seed(run) == {}
    assert read_confirmed(tmp_path, searched(Formula())) == {}
