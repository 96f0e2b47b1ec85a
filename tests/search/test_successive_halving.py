"""Who is stopped, who goes on, and that a stop of the search changes nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlsearch.config import SearchConfig
from mtlsearch.errors import RunError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate
from mtlsearch.results import TaskResult, TrialRecord, rank_at_epoch, rung_ranks
from mtlsearch.search import NullProgress, search
from mtlsearch.search._successive_halving import SuccessiveHalving
from mtlsearch.study import TrialStore
from tests.search.curves import EPOCHS, Curves, halving, run, space
from tests.search.synthetic import SCORE, Formula, space_for

INDEPENDENT = Candidate(SharingPlan.independent(["a", "b"], 2))


def results(score: float) -> dict[str, TaskResult]:
    """Δm of a score is 100 (score - 1)."""
    return {task: TaskResult({"score": score}, SCORE) for task in ("a", "b")}


def reference(rungs: Sequence[int]) -> TrialRecord:
    return TrialRecord(
        0, "complete", "independent", INDEPENDENT, 1, 1, results(1.0),
        rung_results={rung: results(1.0) for rung in rungs},
    )  # fmt: skip


def stopped(number: int, *scores: float, rungs: Sequence[int] = (1, 3)) -> TrialRecord:
    """A trial that was stopped at the last rung for which there is a score."""
    curve = {rung: results(score) for rung, score in zip(rungs, scores, strict=False)}
    return TrialRecord(number, "paused", None, INDEPENDENT, 1, 1, rung_results=curve)


def simulate(rule: SuccessiveHalving, scores: np.ndarray) -> list[list[int]]:
    """Trials one after the other with ``scores`` ``[N, rungs]``; who reached each rung, last all.

    Which states there were is checked on the way: nobody ever goes back.
    """
    records = [reference(rule.rungs)]
    reached: list[list[int]] = [[] for _ in range(len(rule.rungs) + 1)]
    for number, row in enumerate(scores, start=1):
        records.append(stopped(number, row[0], rungs=rule.rungs))
        reached[0].append(number)
        while (found := rule.promotion(records)) is not None:
            assert found == rule.promotion(list(records))
            at = len(found.record.rung_results)
            done = (*rule.rungs, rule.epochs)[at]
            assert found.epochs == done
            reached[at].append(found.record.number)
            scored = scores[found.record.number - 1, : at + 1]
            after = stopped(found.record.number, *scored, rungs=rule.rungs)
            if done == rule.epochs:
                after = replace(found.record, state="complete", results=results(1.0))
            records[found.record.number] = after
    return reached


SCORES = st.integers(1, 20).flatmap(
    lambda count: st.lists(
        st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=count, max_size=count
    )
)


@settings(deadline=None, max_examples=15)
@given(scores=SCORES, reduction_factor=st.integers(2, 4))
def test_of_those_at_a_rung_the_best_have_gone_on(
    scores: list[tuple[int, int]], reduction_factor: int
) -> None:
    rule = halving(reduction_factor=reduction_factor)
    values = np.array(scores, dtype=float)
    reached = simulate(rule, values)
    for rung, (here, further) in enumerate(pairwise(reached)):
        assert len(set(further)) == len(further)  # once promoted, for good
        assert set(further) <= set(here)
        ranked = sorted(here, key=lambda at: (-values[at - 1, rung], at))
        assert set(ranked[: rule.num_promoted(len(here))]) <= set(further)


@pytest.mark.parametrize("reduction_factor", [2, 3, 4])
def test_one_in_so_many_goes_on_in_the_long_run(reduction_factor: int) -> None:
    chance = np.random.default_rng(reduction_factor)
    reached = simulate(halving(reduction_factor=reduction_factor), chance.random((200, 2)))
    for here, further in pairwise(reached):
        assert len(further) >= len(here) / reduction_factor
        # Those too many were among the best when they were asked: O(sqrt(n)), Li et al. 2020.
        assert len(further) <= len(here) / reduction_factor + 2.0 * len(here) ** 0.5


def test_it_is_the_order_at_the_rung_against_the_baseline_there() -> None:
    """Not what was measured later, nor what the baseline came to later."""
    first = replace(reference((1, 3)), rung_results={1: results(0.5), 3: results(2.0)})
    ahead, behind = stopped(1, 0.7, 1.0), stopped(2, 0.6)
    assert [at.number for at in rank_at_epoch([first, ahead, behind], 1)] == [1, 2]
    shown = rung_ranks([first, ahead, behind])
    assert str(shown[2]) == "2nd of 2 at epoch 1"
    assert shown[2].delta_m == pytest.approx(20.0)
    assert shown[1].delta_m == pytest.approx(-50.0)


def test_a_rung_at_which_the_baseline_has_nothing_stops_nobody() -> None:
    first = replace(reference((1, 3)), rung_results={1: results(0.0), 3: results(1.0)})
    rule, new = halving(), replace(stopped(1), state="running")
    assert rule.next_epochs(new, [first]) == 3
    assert [rung for rung, _ in rule.invalid_rungs([first])] == [1]
    nothing = replace(first, rung_results={})
    assert rule.next_epochs(new, [nothing]) == EPOCHS


def test_baselines_are_trained_in_full() -> None:
    evaluator = Curves()
    run(TrialStore.in_memory(), evaluator, 9)
    assert [epochs for _, epochs in evaluator.asked[:2]] == [None, None]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_search_stops_most_and_ends_some(seed: int) -> None:
    evaluator = Curves()
    records = run(TrialStore.in_memory(), evaluator, 30, seed).records()
    assert len(records) == 30
    complete = [record for record in records if record.state == "complete"]
    assert {record.state for record in records} == {"complete", "paused"}
    assert all(record.epochs == EPOCHS for record in complete)
    assert all(
        max(record.rung_results) == record.epochs in (1, 3) for record in set_of_stopped(records)
    )
    assert all(record.seconds == record.epochs for record in records)
    assert 3 <= len(complete) < 15
    # Nobody was begun twice, and every leg went further than the one before.
    by_digest: dict[str, list[int]] = {}
    for digest, epochs in evaluator.asked:
        by_digest.setdefault(digest, []).append(epochs or EPOCHS)
    assert len(by_digest) == 30
    assert all(legs == sorted(set(legs)) for legs in by_digest.values())


def set_of_stopped(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [record for record in records if record.state == "paused"]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 3), stop=st.integers(0, 24), several=st.booleans())
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(
    seed: int, stop: int, several: bool
) -> None:
    config = {"sampler": "auto"}
    straight, broken, after = Curves(), Curves(interrupts_at=stop), Curves()
    whole = run(TrialStore.in_memory(), straight, 15, seed, **config)
    store = TrialStore.in_memory()
    if stop >= len(straight.asked):
        return
    with pytest.raises(KeyboardInterrupt):
        run(store, broken, 15, seed, **config)
    if several:
        with pytest.raises(KeyboardInterrupt):
            run(store, Curves(interrupts_at=0), 15, seed, **config)
    run(store, after, 15, seed, **config)
    assert broken.asked + after.asked == straight.asked
    assert ended(store) == ended(whole)


def ended(store: TrialStore) -> list[tuple[str, str, int]]:
    return [
        (record.candidate.digest, record.state, record.epochs)
        for record in store.records()
        if record.state != "interrupted"
    ]


def test_a_kill_amid_a_promotion_puts_the_trial_back_to_its_rung() -> None:
    """A kill, unlike Ctrl-C, leaves a trial that is written down as running."""
    straight = Curves()
    whole = run(TrialStore.in_memory(), straight, 15)
    store = TrialStore.in_memory()
    run(store, Curves(), 12)
    victim = set_of_stopped(store.records())[0]
    store.write(replace(victim, state="running"))
    assert store.mark_interrupted() == 1
    assert store.records()[victim.number] == victim
    run(store, Curves(), 15)
    assert ended(store) == ended(whole)


def test_more_trials_may_let_older_ones_go_on() -> None:
    """The first rung lets one of three go on, and two of four: who was second is among them."""
    rule, records = halving(), [reference((1, 3)), stopped(1, 3.0, 3.0), stopped(2, 2.0)]
    records[1] = replace(records[1], state="complete", results=results(1.0))
    assert rule.promotion(records) is None
    assert rule.promotion([*records, stopped(3, 1.0)]) is None
    found = rule.promotion([*records, stopped(3, 1.0), stopped(4, 1.0)])
    assert found is not None
    assert (found.record.number, found.epochs, found.reason) == (2, 3, "place 2 of 4 at epoch 1")


def test_a_trial_that_cannot_be_compared_fails() -> None:
    evaluator = Curves()
    store = run(TrialStore.in_memory(), evaluator, 2)

    class Blank(Curves):
        def measure(self, *args: object) -> object:
            found = super().measure(*args)  # type: ignore[arg-type]
            return replace(found, rung_results={})

    run(store, Blank(), 3)
    (record,) = store.records()[2:]
    assert record.state == "failed"
    assert record.reason.startswith("at epoch 1: ")


def test_who_watches_is_told_of_stops_and_promotions() -> None:
    told: list[str] = []

    class Watcher(NullProgress):
        def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
            told.append(f"{number} to {epochs}: {reason}")

        def trial_finished(
            self, number: int, state: str, delta_m: float | None, seconds: float, reason: str
        ) -> None:
            assert delta_m is not None
            told.append(f"{number} {state}: {reason}")

    evaluator = Curves()
    search(
        space(evaluator), evaluator, TrialStore.in_memory(), trials=9, seed=0, progress=Watcher()
    )
    assert told[:5] == [
        "0 complete: ",
        "1 complete: ",
        "2 to 3: place 1 of 1 at epoch 1",
        "2 to 9: place 1 of 1 at epoch 3",
        "2 complete: ",
    ]
    assert any(line.endswith("at epoch 1") and " stopped: " in line for line in told)


def test_without_it_nothing_is_compared() -> None:
    evaluator = Curves()
    store = TrialStore.in_memory()
    search(space_for(evaluator), evaluator, store, trials=6, seed=0)  # type: ignore[arg-type]
    assert {record.state for record in store.records()} == {"complete"}
    assert not any(record.rung_results for record in store.records())
    assert {epochs for _, epochs in evaluator.asked} == {None}


def test_rungs_without_epochs_before_the_end_are_refused() -> None:
    evaluator, named = Formula(), {"rungs": [1]}
    with pytest.raises(RunError, match="1 epochs"):
        search(
            space_for(evaluator, halving=named), evaluator, TrialStore.in_memory(), trials=4, seed=0
        )


class Notes(NullProgress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def test_where_a_training_is_too_short_for_auto_nobody_is_stopped_and_it_is_said() -> None:
    evaluator, store, notes = Formula(), TrialStore.in_memory(), Notes()
    search(space_for(evaluator, halving={}), evaluator, store, trials=8, seed=0, progress=notes)
    assert {record.state for record in store.records()} == {"complete"}
    (said,) = [text for text in notes.said if text.startswith("halving: ")]
    assert "every trial is trained in full" in said


def test_a_run_keeps_the_rungs_that_auto_had_when_it_began() -> None:
    """Another version of the program may have had others."""
    config = SearchConfig.model_validate({"early_stopping": {}})
    wanted = TrialStore.in_memory().objectives
    assert SuccessiveHalving.from_config(config, Curves(), wanted).rungs == (5,)
    assert SuccessiveHalving.from_config(config, Curves(), wanted, [reference((1, 3))]).rungs == (
        1,
        3,
    )
    assert SuccessiveHalving.from_config(config, Curves(), wanted, [reference(())]).rungs == ()
    assert halving(rungs=[2]).rungs == (2,)
