"""What every search keeps to, whatever measures its candidates."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.errors import RunError, TrainingError
from mtlsearch.plugin import Candidate
from mtlsearch.runs import pick_trial
from mtlsearch.search import Measurement, NullProgress, search
from mtlsearch.study import TrialStore, open_storage
from mtlsearch.study._storage import truncate_partial_line
from tests.search.synthetic import Formula, space_for


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
    search(
        space_for(evaluator, **config),
        evaluator,
        store,
        trials=trials,
        seed=seed,
        progress=NullProgress(),
    )
    return store


def test_baselines_come_first(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(), 4).records()
    assert [record.baseline for record in records] == ["independent", "hard", None, None]
    assert str(records[0].candidate.plan) == "independent"
    assert str(records[1].candidate.plan) == "hard"


def test_what_there_is_to_know_of_a_measurement_stands_in_the_record(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(note="in 2 parts"), 3).records()
    assert [(record.state, record.note) for record in records] == [("complete", "in 2 parts")] * 3


@pytest.mark.parametrize("loss_weights", ["equal", "search"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_is_measured_twice(tmp_path: Path, loss_weights: str, seed: int) -> None:
    evaluator = Formula()
    run(tmp_path, evaluator, 30, seed, loss_weights=loss_weights)
    digests = [candidate.digest for candidate in evaluator.measured]
    assert len(digests) == len(set(digests)) == 30


def test_a_small_space_is_exhausted_and_says_so(tmp_path: Path) -> None:
    evaluator = Formula(tasks=("a", "b"), count=3)
    store = store_at(tmp_path)
    outcome = search(
        space_for(evaluator), evaluator, store, trials=50, seed=0, progress=NullProgress()
    )
    assert outcome.exhausted
    assert outcome.num_finished == len(store.records()) == 4


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 5), stop=st.integers(0, 7))
def test_a_stopped_search_goes_on_as_if_it_had_not_been(
    tmp_path_factory: pytest.TempPathFactory, seed: int, stop: int
) -> None:
    whole, stopped = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("paused")
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


def test_trials_means_the_total(tmp_path: Path) -> None:
    run(tmp_path, Formula(), 5)
    again = Formula()
    run(tmp_path, again, 5)
    assert not again.measured
    more = Formula()
    run(tmp_path, more, 7)
    assert len(more.measured) == 2


def test_a_failed_trial_counts_and_says_why(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(fails=lambda number: number == 2), 5).records()
    assert [record.state for record in records] == ["complete"] * 2 + ["failed"] + ["complete"] * 2
    assert "would not train" in records[2].reason


@pytest.mark.parametrize(
    ("score", "told", "not_told"),
    [
        (float("nan"), "`mtlsearch check RUN.yaml` counts them", "learning rate"),
        (0.0, "train until a.score is above 0: more epochs", "check"),
    ],
)
def test_the_advice_fits_what_is_wrong_with_the_baseline(
    tmp_path: Path, score: float, told: str, not_told: str
) -> None:
    with pytest.raises(RunError, match="independent baseline cannot be measured") as error:
        run(tmp_path, Formula(score=lambda candidate: score), 3)
    assert told in str(error.value.next_step)
    assert not_told not in str(error.value.next_step)
    assert "new folder" in str(error.value.next_step)


def test_a_baseline_that_does_not_train_has_the_advice_of_its_error(tmp_path: Path) -> None:
    class Small(Formula):
        def measure(self, *given: object, **named: object) -> Measurement:
            raise TrainingError("a batch is too large", next_step="take a smaller batch_size")

    with pytest.raises(RunError, match="a batch is too large") as error:
        run(tmp_path, Small(), 3)
    assert str(error.value.next_step).startswith("take a smaller batch_size; ")


def test_without_the_independent_baseline_nothing_goes_on(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="independent"):
        run(tmp_path, Formula(fails=lambda number: number == 0), 5)


def test_however_many_trials_are_asked_for(tmp_path: Path) -> None:
    """A search that has no reference is not done, even if its trials are spent."""
    for sitting in range(2):
        with pytest.raises(RunError, match="independent"):
            run(tmp_path, Formula(fails=lambda number: True), 1)
        assert len(store_at(tmp_path).records()) == sitting + 1
    records = run(tmp_path, Formula(), 3).records()
    assert [record.state for record in records] == ["failed", "failed", "complete"]


class Notes(NullProgress):
    """Keeps the notes of a search."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_baseline_that_failed_before_is_told_to_be_trained_again(tmp_path: Path) -> None:
    said = []
    for fails in (True, True, False, False):
        evaluator, notes = Formula(fails=lambda number, fails=fails: fails), Notes()
        with pytest.raises(RunError) if fails else nullcontext():
            search(space_for(evaluator), evaluator, store_at(tmp_path), trials=1, seed=0,
                   progress=notes)  # fmt: skip
        said.append(notes.notes)
    again = "the independent baseline failed as trial {}: trained again"
    assert said == [[], [again.format(0)], [again.format(1)], []]


def test_a_mistake_of_a_plugin_is_raised_and_its_trial_failed(tmp_path: Path) -> None:
    def score(candidate: Candidate) -> float:
        if str(candidate.plan) == "hard":
            raise ZeroDivisionError("a mistake")
        return 1.0

    with pytest.raises(ZeroDivisionError):
        run(tmp_path, Formula(score=score), 4)
    record = store_at(tmp_path).records()[-1]
    assert record.state == "failed"
    assert record.reason == "ZeroDivisionError: a mistake"
    assert len(run(tmp_path, Formula(), 4).records()) == 4


def test_one_task_has_one_baseline(tmp_path: Path) -> None:
    """Sharing nothing and sharing all are the same then, and nothing is trained twice."""
    evaluator = Formula(tasks=("a",))
    store = store_at(tmp_path)
    outcome = search(
        space_for(evaluator), evaluator, store, trials=9, seed=0, progress=NullProgress()
    )
    assert outcome.exhausted
    assert [record.baseline for record in store.records()] == ["independent"]
    run(tmp_path / "rates", evaluator, 4, learning_rate=[0.01, 1.0])
    assert len(store_at(tmp_path / "rates").records()) == 4


def test_somebody_may_look_after_each_trial(tmp_path: Path) -> None:
    """At the beginning too: a sitting may have been killed before its last look."""
    seen: list[int] = []
    run(tmp_path, Formula(), 3)
    evaluator = Formula()
    search(
        space_for(evaluator),
        evaluator,
        store_at(tmp_path),
        trials=5,
        seed=0,
        progress=NullProgress(),
        after_each=lambda records: seen.append(len(records)),
    )
    assert seen == [3, 4, 5]


def test_a_baseline_of_zero_stops_the_search_and_says_why(tmp_path: Path) -> None:
    evaluator = Formula(score=lambda candidate: 0.0)
    with pytest.raises(RunError, match="independent"):
        run(tmp_path, evaluator, 5)


def test_the_same_seed_proposes_the_same(tmp_path: Path) -> None:
    first, second = Formula(), Formula()
    run(tmp_path / "a", first, 12, seed=3, loss_weights="search", learning_rate=[0.01, 1.0])
    run(tmp_path / "b", second, 12, seed=3, loss_weights="search", learning_rate=[0.01, 1.0])
    assert first.measured == second.measured


def test_a_torn_journal_line_loses_nothing_else(tmp_path: Path) -> None:
    run(tmp_path, Formula(), 4)
    with (tmp_path / "study.journal").open("ab") as file:
        file.write(b'{"op_code": 5, "work')
    truncate_partial_line(tmp_path / "study.journal")
    whole = Formula()
    run(tmp_path / "whole", whole, 6)
    after = Formula()
    run(tmp_path, after, 6)
    assert after.measured == whole.measured[4:]


def test_best_is_the_highest_delta_m(tmp_path: Path) -> None:
    def score(candidate: Candidate) -> float:
        return 3.0 if str(candidate.plan) == "hard" else 1.0

    records = run(tmp_path, Formula(score=score), 6).records()
    assert pick_trial(records, "best").baseline == "hard"
    assert pick_trial(records, 3) == records[3]
    with pytest.raises(RunError, match="no trial 99"):
        pick_trial(records, 99)


def test_what_is_not_complete_is_not_picked(tmp_path: Path) -> None:
    records = run(tmp_path, Formula(fails=lambda number: number == 2), 4).records()
    with pytest.raises(RunError, match=r"2 is not complete but failed \(it would") as error:
        pick_trial(records, 2)
    assert error.value.allowed == ("best", "0", "1", "3")
    with pytest.raises(RunError, match="no trial is complete"):
        pick_trial(records[2:3], "best")


def test_the_sampler_finds_what_is_good(tmp_path: Path) -> None:
    """Of 315 plans, a third of the measured ones should be at the planted optimum's depth."""
    evaluator = Formula(tasks=("a", "b", "c", "d"), count=4)
    run(tmp_path, evaluator, 40)
    at_best = [sum(c == 1 for c in candidate.plan.copies) == 2 for candidate in evaluator.measured]
    assert sum(at_best[20:]) > sum(at_best[:20]) / 2
