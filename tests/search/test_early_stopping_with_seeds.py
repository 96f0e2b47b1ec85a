"""Early stopping and second seeds in one search."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from mtlsearch.plugin import Candidate
from mtlsearch.search import FunctionEvaluator, search, verdict_of
from mtlsearch.study import StudyView, TrialStore, open_storage
from tests.search.synthetic import space_for

TASKS, UNITS, EPOCHS, RUNGS = ("a", "b", "c"), 4, 9, (1, 3)


@dataclass
class NoisyCurves:
    """Trainings with learning curves, whose noise depends on plan and seed."""

    interrupts_at: int | None = None
    trained: list[tuple[int, str, int]] = field(default_factory=list)

    def score(self, candidate: Candidate, epoch: int, seed: int) -> dict[str, float]:
        plan = candidate.plan
        rng = np.random.default_rng([seed, *str(plan).encode()])
        shared = [sum(row[index] == row[0] for row in plan.rows) for index in range(3)]
        best = 100.0 + 3.0 * shared[1] - 3.0 * shared[2]
        end = {task: best + 2.0 * rng.standard_normal() for task in TASKS}
        return {task: value * (1.0 - 0.5**epoch) for task, value in end.items()}

    def at_seed(self, seed: int) -> FunctionEvaluator:
        evaluator = FunctionEvaluator.from_curve(
            lambda candidate, epoch: self.score(candidate, epoch, seed), TASKS, UNITS, epochs=EPOCHS
        )
        measure = evaluator.measure

        def recorded(number: int, candidate: Candidate, progress, epochs=None):  # type: ignore[no-untyped-def]
            if len(self.trained) == self.interrupts_at:
                raise KeyboardInterrupt
            self.trained.append((seed, str(candidate.plan), epochs or EPOCHS))
            return measure(number, candidate, progress, epochs)

        evaluator.measure = recorded  # type: ignore[method-assign]
        return evaluator


def run(curves: NoisyCurves, store: TrialStore, trials: int = 30) -> StudyView:
    evaluator = curves.at_seed(0)
    space = space_for(
        evaluator,  # type: ignore[arg-type]
        early_stopping={"rungs": list(RUNGS), "reduction_factor": 3},
    )
    search(space, evaluator, store, trials=trials, seed=0, at_seed=curves.at_seed)
    return store.view()


@pytest.fixture(scope="module")
def whole() -> tuple[NoisyCurves, StudyView]:
    curves = NoisyCurves()
    return curves, run(curves, TrialStore.in_memory())


def test_second_seeds_train_in_full_beside_paused_trials(
    whole: tuple[NoisyCurves, StudyView],
) -> None:
    curves, view = whole
    assert view.num_finished == 30
    assert len(set(curves.trained)) == len(curves.trained)
    assert any(record.state == "paused" for record in view.records)
    assert view.repeats
    state_by_number = {record.number: record.state for record in view.records}
    for repeat in view.repeats:
        assert repeat.repeats is not None
        assert state_by_number[repeat.repeats] == "complete"
        assert (repeat.state, repeat.epochs) == ("complete", EPOCHS)
    assert {epochs for seed, _, epochs in curves.trained if seed} == {EPOCHS}


def test_second_seeds_are_not_ranked_at_rungs(whole: tuple[NoisyCurves, StudyView]) -> None:
    _, view = whole
    repeated = {repeat.number for repeat in view.repeats}
    for rung in RUNGS:
        ranked = {record.number for record in view.rung_ranking(rung)}
        assert ranked
        assert not ranked & repeated


@pytest.mark.parametrize("stop", [3, 9, 17, 25, 33])
def test_interrupted_search_with_both_resumes_identically(
    tmp_path: Path, whole: tuple[NoisyCurves, StudyView], stop: int
) -> None:
    expected, view = whole
    assert stop < len(expected.trained)
    stopped, resumed = NoisyCurves(interrupts_at=stop), NoisyCurves()
    journal = tmp_path / "study.journal"
    with pytest.raises(KeyboardInterrupt):
        run(stopped, TrialStore(open_storage(None, journal), "test"))
    again = run(resumed, TrialStore(open_storage(None, journal), "test"))
    assert stopped.trained + resumed.trained == expected.trained
    verdict, first = verdict_of(again), verdict_of(view)
    assert verdict is not None
    assert first is not None
    plans = [
        {record.number: str(record.candidate.plan) for record in study.records}
        for study in (again, view)
    ]
    assert plans[0][verdict.winner] == plans[1][first.winner]
    assert verdict.expected == first.expected


def test_verdict_read_again_is_the_same(tmp_path: Path) -> None:
    """The end of a search, and every later command, compute it from the stored trials."""
    journal = tmp_path / "study.journal"
    at_end = verdict_of(run(NoisyCurves(), TrialStore(open_storage(None, journal), "test"), 20))
    stored = TrialStore(open_storage(None, journal), "test")
    records, repeats = tuple(stored.records()), tuple(stored.repeats())
    assert at_end is not None
    assert at_end == verdict_of(stored.view())
    assert at_end == verdict_of(StudyView(records=records, repeats=repeats))
