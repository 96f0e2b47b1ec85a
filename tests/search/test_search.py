"""Properties of every search, with any evaluator."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.errors import RunError, TrainingError
from mtlsearch.plugin import Candidate
from mtlsearch.results import TrialRecord, leaderboard
from mtlsearch.runs import pick_trial
from mtlsearch.search import Measurement, search
from mtlsearch.study import StudyView, TrialStore, open_storage
from mtlsearch.study._journal import truncate_partial_line
from tests.search.curves import Curves
from tests.search.curves import run as run_curves
from tests.search.synthetic import Formula, Notes, space_for


def store_at(folder: Path, url: str | None = None) -> TrialStore:
    folder.mkdir(exist_ok=True)
    return TrialStore(open_storage(url, folder / "study.journal"), "test")


def run(
    folder: Path,
    evaluator: Formula,
    trials: int,
    seed: int = 0,
    *,
    storage: str | None = None,
    **config: object,
) -> TrialStore:
    store = store_at(folder, storage)
    search(space_for(evaluator, **config), evaluator, store, trials=trials, seed=seed)
    return store


def test_baselines_run_first(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(), 4).records()
    assert [record.baseline for record in records] == ["independent", "hard", None, None]
    assert str(records[0].candidate.plan) == "independent"
    assert str(records[1].candidate.plan) == "hard"


def test_note_of_a_measurement_is_stored(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(note="in 2 parts"), 3).records()
    assert [(record.state, record.note) for record in records] == [("complete", "in 2 parts")] * 3


@pytest.mark.parametrize("loss_weights", ["equal", "search"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_candidate_is_measured_twice(tmp_path: Path, loss_weights: str, seed: int) -> None:
    evaluator = Formula()
    run(tmp_path, evaluator, 30, seed, loss_weights=loss_weights)
    digests = [candidate.digest for candidate in evaluator.measured]
    assert len(digests) == len(set(digests)) == 30


def test_small_space_is_exhausted(tmp_path: Path) -> None:
    evaluator = Formula(tasks=("a", "b"), count=3)
    store = store_at(tmp_path)
    outcome = search(space_for(evaluator), evaluator, store, trials=50, seed=0)
    assert outcome.exhausted
    assert outcome.num_finished == len(store.records()) == 4


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 5), stop=st.integers(0, 7))
def test_interrupted_search_resumes_identically(
    tmp_path_factory: pytest.TempPathFactory, seed: int, stop: int
) -> None:
    whole, stopped = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("stopped")
    straight = Formula()
    run(whole, straight, 8, seed)

    broken = Formula(interrupts_at=stop)
    with pytest.raises(KeyboardInterrupt):
        run(stopped, broken, 8, seed)
    after = Formula()
    store = run(stopped, after, 8, seed)

    assert broken.measured + after.measured == straight.measured
    states = [record.state for record in store.records()]
    assert states.count("complete") == 8
    assert states.count("interrupted") == 1


def test_trials_is_the_total_over_sessions(tmp_path: Path) -> None:
    run(tmp_path, Formula(), 5)
    again = Formula()
    run(tmp_path, again, 5)
    assert not again.measured
    more = Formula()
    run(tmp_path, more, 7)
    assert len(more.measured) == 2


def test_failed_trial_counts_and_has_a_reason(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(fails=lambda number: number == 2), 5).records()
    assert [record.state for record in records] == ["complete"] * 2 + ["failed"] + ["complete"] * 2
    assert "would not train" in records[2].reason


def test_baseline_that_is_not_measured_ends_the_search(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="independent baseline cannot be measured") as error:
        run(tmp_path, Formula(score=lambda candidate: float("nan")), 3)
    assert "`mtlsearch check RUN.yaml` counts them" in str(error.value.next_step)
    assert "new folder" in str(error.value.next_step)


def test_baseline_advice_is_that_of_its_error(tmp_path: Path) -> None:
    class Small(Formula):
        def measure(self, *args: object, **kwargs: object) -> Measurement:
            raise TrainingError("a batch is too large", next_step="take a smaller batch_size")

    with pytest.raises(RunError, match="a batch is too large") as error:
        run(tmp_path, Small(), 3)
    assert str(error.value.next_step).startswith("take a smaller batch_size, ")


def test_failed_independent_baseline_ends_the_search(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="independent"):
        run(tmp_path, Formula(fails=lambda number: number == 0), 5)


def test_search_without_reference_is_not_finished(tmp_path: Path) -> None:
    """It continues even if the number of trials is reached."""
    for session in range(2):
        with pytest.raises(RunError, match="independent"):
            run(tmp_path, Formula(fails=lambda number: True), 1)
        assert len(store_at(tmp_path).records()) == session + 1
    records = run(tmp_path, Formula(), 3).records()
    assert [record.state for record in records] == ["failed", "failed", "complete"]


def test_failed_baseline_is_noted_when_it_runs_again(tmp_path: Path) -> None:
    notes_by_session = []
    for fails in (True, True, False, False):
        evaluator, progress = Formula(fails=lambda number, fails=fails: fails), Notes()
        with pytest.raises(RunError) if fails else nullcontext():
            search(space_for(evaluator), evaluator, store_at(tmp_path), trials=1, seed=0,
                   progress=progress)  # fmt: skip
        notes_by_session.append(progress.notes)
    note = "the independent baseline failed as trial {} and is trained again"
    assert notes_by_session == [[], [note.format(0)], [note.format(1)], []]


def test_plugin_error_is_raised_and_the_candidate_runs_again(tmp_path: Path) -> None:
    def score(candidate: Candidate) -> float:
        if str(candidate.plan) == "hard":
            raise ZeroDivisionError("a mistake")
        return 1.0

    with pytest.raises(ZeroDivisionError):
        run(tmp_path, Formula(score=score), 4)
    record = store_at(tmp_path).records()[-1]
    assert record.state == "interrupted"
    assert record.reason == "ZeroDivisionError: a mistake"
    records = run(tmp_path, Formula(), 4).records()
    assert [record.state for record in records].count("complete") == 4
    assert [record.baseline for record in records].count("hard") == 2


def test_single_task_has_one_baseline(tmp_path: Path) -> None:
    """``independent`` and ``hard`` are equal then, and it is trained once."""
    evaluator = Formula(tasks=("a",))
    store = store_at(tmp_path)
    outcome = search(space_for(evaluator), evaluator, store, trials=9, seed=0)
    assert outcome.exhausted
    assert [record.baseline for record in store.records()] == ["independent"]
    run(tmp_path / "rates", evaluator, 4, learning_rate=[0.01, 1.0])
    assert len(store_at(tmp_path / "rates").records()) == 4


def test_end_of_an_enumerated_space_is_named(tmp_path: Path) -> None:
    evaluator = Formula(tasks=("a", "b"), count=2)
    outcome = search(space_for(evaluator), evaluator, store_at(tmp_path), trials=200, seed=0)
    assert outcome.exhausted
    assert outcome.num_finished == len(space_for(evaluator).enumerate() or ())
    assert outcome.reason == "all candidates of the search space were measured"


def test_after_each_gets_a_view_at_start_and_per_trial(tmp_path: Path) -> None:
    """At the start too: an earlier session may have been killed before its last call."""
    counts: list[int] = []
    run(tmp_path, Formula(), 3)
    evaluator = Formula()

    def count(view: StudyView) -> None:
        counts.append(len(view.records))

    search(space_for(evaluator), evaluator, store_at(tmp_path), trials=5, seed=0, after_each=count)
    assert counts == [3, 4, 5]


class Counts:
    """Counts calls of a function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.count = 0
        original = getattr(owner, name)

        def count_call(*args: object, **kwargs: object) -> object:
            self.count += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, count_call)


def test_search_builds_one_view_per_trial_transition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Start and end of a trial share a view; a record is parsed once per write."""
    store = store_at(tmp_path)
    views = Counts(monkeypatch, StudyView, "__init__")
    reads = Counts(monkeypatch, TrialStore, "refresh")
    writes = Counts(monkeypatch, TrialStore, "write")
    parses = Counts(monkeypatch, TrialRecord, "from_json")
    evaluator = Formula()
    search(space_for(evaluator), evaluator, store, trials=4, seed=0, after_each=lambda view: None)
    assert views.count == 1 + 4
    assert reads.count == views.count + 1  # of mark_interrupted
    assert writes.count == parses.count == 4


def test_halving_builds_one_view_per_pause_or_promotion(monkeypatch: pytest.MonkeyPatch) -> None:
    views = Counts(monkeypatch, StudyView, "__init__")
    evaluator = Curves()
    run_curves(TrialStore.in_memory(), evaluator, 20)
    assert views.count == 1 + len(evaluator.calls)


def test_baseline_of_zero_gives_a_delta_m_of_zero(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(score=lambda candidate: 0.0), 5).records()
    assert {record.state for record in records} == {"complete"}
    assert set(leaderboard(records)["delta_m"]) == {0.0}


def test_equal_seeds_give_equal_proposals(tmp_path: Path) -> None:
    first, second = Formula(), Formula()
    run(tmp_path / "a", first, 12, seed=3, loss_weights="search", learning_rate=[0.01, 1.0])
    run(tmp_path / "b", second, 12, seed=3, loss_weights="search", learning_rate=[0.01, 1.0])
    assert first.measured == second.measured


def test_partial_journal_line_loses_nothing_else(tmp_path: Path) -> None:
    run(tmp_path, Formula(), 4)
    with (tmp_path / "study.journal").open("ab") as file:
        file.write(b'{"op_code": 5, "work')
    truncate_partial_line(tmp_path / "study.journal")
    whole = Formula()
    run(tmp_path / "whole", whole, 6)
    after = Formula()
    run(tmp_path, after, 6)
    assert after.measured == whole.measured[4:]


def test_best_has_the_highest_delta_m(tmp_path: Path) -> None:
    def score(candidate: Candidate) -> float:
        return 3.0 if str(candidate.plan) == "hard" else 1.0

    records = run(tmp_path, Formula(score=score), 6).records()
    assert pick_trial(records, "best").baseline == "hard"
    assert pick_trial(records, 3) == records[3]
    with pytest.raises(RunError, match="99"):
        pick_trial(records, 99)


def test_incomplete_trial_is_not_picked(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(fails=lambda number: number == 2), 4).records()
    with pytest.raises(RunError, match=r"2 is failed, not complete \(it would") as error:
        pick_trial(records, 2)
    assert error.value.allowed == ("best", "0", "1", "3")
    with pytest.raises(RunError, match="no trial is complete"):
        pick_trial(records[2:3], "best")


def test_sampler_proposes_good_plans(tmp_path: Path) -> None:
    """Of 315 plans, a third of the measured ones should have the optimum's depth."""
    evaluator = Formula(tasks=("a", "b", "c", "d"), count=4)
    run(tmp_path, evaluator, 40)
    is_optimal = [
        sum(count == 1 for count in candidate.plan.copies) == 2 for candidate in evaluator.measured
    ]
    assert sum(is_optimal[20:]) > sum(is_optimal[:20]) / 2
