"""Successive halving: promotions, pauses, and identical resumption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from mtlsearch.results import TaskResult, TrialRecord
from mtlsearch.search import NullProgress, search
from mtlsearch.search._successive_halving import SuccessiveHalving
from mtlsearch.study import StudyView, TrialStore
from tests.search.curves import EPOCHS, Curves, halving, run, space
from tests.search.synthetic import SCORE, Formula, Notes, space_for

INDEPENDENT = Candidate(SharingPlan.independent(["a", "b"], 2))


def results(score: float) -> dict[str, TaskResult]:
    """Return results whose Δm is 100 (score - 1)."""
    return {task: TaskResult({"score": score}, SCORE) for task in ("a", "b")}


def reference(rungs: Sequence[int]) -> TrialRecord:
    return TrialRecord(
        0, "complete", "independent", INDEPENDENT, 1, 1, results(1.0),
        rung_results={rung: results(1.0) for rung in rungs},
    )  # fmt: skip


def paused(number: int, *scores: float, rungs: Sequence[int] = (1, 3)) -> TrialRecord:
    """Return a trial that paused at the last rung for which there is a score."""
    rung_results = {rung: results(score) for rung, score in zip(rungs, scores, strict=False)}
    return TrialRecord(number, "paused", None, INDEPENDENT, 1, 1, rung_results=rung_results)


def view(*records: TrialRecord) -> StudyView:
    return StudyView(records)


def simulate(rule: SuccessiveHalving, scores: np.ndarray) -> list[list[int]]:
    """Return which trials reach each rung and the end, for scores ``[N, rungs]`` in order.

    It also checks that no trial returns to an earlier rung.
    """
    records = [reference(rule.rungs)]
    reached: list[list[int]] = [[] for _ in range(len(rule.rungs) + 1)]
    for number, row in enumerate(scores, start=1):
        records.append(paused(number, row[0], rungs=rule.rungs))
        reached[0].append(number)
        while (promotion := rule.promotion(view(*records))) is not None:
            assert promotion == rule.promotion(view(*records))
            index = len(promotion.record.rung_results)
            epochs = (*rule.rungs, rule.epochs)[index]
            assert promotion.epochs == epochs
            number = promotion.record.number
            reached[index].append(number)
            after = paused(number, *scores[number - 1, : index + 1], rungs=rule.rungs)
            if epochs == rule.epochs:
                after = replace(promotion.record, state="complete", results=results(1.0))
            records[number] = after
    return reached


SCORES = st.integers(1, 20).flatmap(
    lambda count: st.lists(
        st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=count, max_size=count
    )
)


@settings(deadline=None, max_examples=15)
@given(scores=SCORES, reduction_factor=st.integers(2, 4))
def test_best_trials_of_a_rung_are_promoted(
    scores: list[tuple[int, int]], reduction_factor: int
) -> None:
    rule = halving(reduction_factor=reduction_factor)
    values = np.array(scores, dtype=float)
    reached = simulate(rule, values)
    for rung, (here, further) in enumerate(pairwise(reached)):
        assert len(set(further)) == len(further)  # promoted once
        assert set(further) <= set(here)
        ranked = sorted(here, key=lambda number: (-values[number - 1, rung], number))
        assert set(ranked[: rule.num_promoted(len(here))]) <= set(further)


@pytest.mark.parametrize("reduction_factor", [2, 3, 4])
def test_promotions_approach_the_reduction_factor(reduction_factor: int) -> None:
    rng = np.random.default_rng(reduction_factor)
    reached = simulate(halving(reduction_factor=reduction_factor), rng.random((200, 2)))
    for here, further in pairwise(reached):
        assert len(further) >= len(here) / reduction_factor
        # The surplus was among the best when it was promoted: O(sqrt(n)), Li et al. 2020.
        assert len(further) <= len(here) / reduction_factor + 2.0 * len(here) ** 0.5


def test_ranking_uses_results_and_baseline_at_the_rung() -> None:
    """Later results of the trials and of the baseline have no influence."""
    baseline = replace(reference((1, 3)), rung_results={1: results(0.5), 3: results(2.0)})
    study = view(baseline, paused(1, 0.7, 1.0), paused(2, 0.6))
    assert [record.number for record in study.rung_ranking(1)] == [1, 2]
    assert str(study.rung_ranks[2]) == "2nd of 2 at epoch 1"
    assert study.rung_ranks[2].delta_m == pytest.approx(20.0)
    assert study.rung_ranks[1].delta_m == pytest.approx(-50.0)


def test_rung_without_baseline_results_pauses_no_trial() -> None:
    baseline = replace(reference((1, 3)), rung_results={1: results(0.0), 3: results(1.0)})
    rule, new = halving(), replace(paused(1), state="running")
    assert rule.next_epochs(new, view(baseline)) == 3
    assert [rung for rung, _ in rule.invalid_rungs(view(baseline))] == [1]
    without_rungs = replace(baseline, rung_results={})
    assert rule.next_epochs(new, view(without_rungs)) == EPOCHS


def test_baselines_are_trained_in_full() -> None:
    evaluator = Curves()
    run(TrialStore.in_memory(), evaluator, 9)
    assert [epochs for _, epochs in evaluator.calls[:2]] == [None, None]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_search_pauses_most_trials_and_completes_some(seed: int) -> None:
    evaluator = Curves()
    records = run(TrialStore.in_memory(), evaluator, 30, seed).records()
    assert len(records) == 30
    complete = [record for record in records if record.state == "complete"]
    assert {record.state for record in records} == {"complete", "paused"}
    assert all(record.epochs == EPOCHS for record in complete)
    assert all(max(record.rung_results) == record.epochs in (1, 3) for record in paused_of(records))
    assert all(record.seconds == record.epochs for record in records)
    assert 3 <= len(complete) < 15
    # No candidate starts twice, and every resumed training goes further than before.
    epochs_by_digest: dict[str, list[int]] = {}
    for digest, epochs in evaluator.calls:
        epochs_by_digest.setdefault(digest, []).append(epochs or EPOCHS)
    assert len(epochs_by_digest) == 30
    assert all(epochs == sorted(set(epochs)) for epochs in epochs_by_digest.values())


def paused_of(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [record for record in records if record.state == "paused"]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 3), stop=st.integers(0, 24), several=st.booleans())
def test_interrupted_search_resumes_identically(seed: int, stop: int, several: bool) -> None:
    config = {"sampler": "auto"}
    straight, broken, after = Curves(), Curves(interrupts_at=stop), Curves()
    whole = run(TrialStore.in_memory(), straight, 15, seed, **config)
    store = TrialStore.in_memory()
    if stop >= len(straight.calls):
        return
    with pytest.raises(KeyboardInterrupt):
        run(store, broken, 15, seed, **config)
    if several:
        with pytest.raises(KeyboardInterrupt):
            run(store, Curves(interrupts_at=0), 15, seed, **config)
    run(store, after, 15, seed, **config)
    assert broken.calls + after.calls == straight.calls
    assert outcome_of(store) == outcome_of(whole)


def outcome_of(store: TrialStore) -> list[tuple[str, str, int]]:
    return [
        (record.candidate.digest, record.state, record.epochs)
        for record in store.records()
        if record.state != "interrupted"
    ]


def test_killed_promotion_is_continued_by_a_new_trial() -> None:
    """A kill, unlike Ctrl-C, leaves the trial in the state running."""
    store = TrialStore.in_memory()
    run(store, Curves(), 12)
    victim = paused_of(store.records())[0]
    store.claim(victim)
    assert store.mark_interrupted() == 1
    assert store.records()[victim.number].state == "interrupted"
    assert store.view().num_finished == 11
    after = Curves()
    run(store, after, 15)
    assert after.calls[0][0] == victim.candidate.digest
    trials = [
        record for record in store.records() if record.candidate.digest == victim.candidate.digest
    ]
    assert [record.state == "interrupted" for record in trials] == [True, False]
    assert trials[1].epochs > victim.epochs
    assert store.view().num_finished == 15
    assert victim.number not in {record.number for record in store.view().rung_ranking(1)}


def test_continued_promotion_keeps_its_values_at_the_rung() -> None:
    store = TrialStore.in_memory()
    run(store, Curves(), 12)
    victim = paused_of(store.records())[0]
    victim = store.write(replace(victim, val_images=7, note="smaller batches"))
    store.claim(victim)
    store.mark_interrupted()
    with pytest.raises(KeyboardInterrupt):
        run(store, Curves(interrupts_at=0), 15)
    continued = store.records()[-1]
    assert continued.seconds > 0
    assert continued == replace(victim, number=continued.number, basis=continued.basis)


def test_new_trials_may_promote_older_ones() -> None:
    """The first rung promotes one of three and two of four, and thus the second best."""
    rule, records = halving(), [reference((1, 3)), paused(1, 3.0, 3.0), paused(2, 2.0)]
    records[1] = replace(records[1], state="complete", results=results(1.0))
    assert rule.promotion(view(*records)) is None
    assert rule.promotion(view(*records, paused(3, 1.0))) is None
    promotion = rule.promotion(view(*records, paused(3, 1.0), paused(4, 1.0)))
    assert promotion is not None
    assert (promotion.record.number, promotion.epochs) == (2, 3)
    assert promotion.reason == "rank 2 of 4 at epoch 1"


def test_trial_without_delta_m_at_its_rung_fails() -> None:
    evaluator = Curves()
    store = run(TrialStore.in_memory(), evaluator, 2)

    class Blank(Curves):
        def measure(self, *args: object) -> object:
            measurement = super().measure(*args)  # type: ignore[arg-type]
            return replace(measurement, results_by_epoch={})

    run(store, Blank(), 3)
    (record,) = store.records()[2:]
    assert record.state == "failed"
    assert record.reason.startswith("at epoch 1: ")


def test_progress_reports_pauses_and_promotions() -> None:
    lines: list[str] = []

    class Lines(NullProgress):
        def trial_promoted(self, number: int, epochs: int, reason: str) -> None:
            lines.append(f"{number} to {epochs}: {reason}")

        def trial_finished(
            self,
            number: int,
            state: str,
            delta_m: float | None,
            seconds: float,
            reason: str,
            metrics: Mapping[str, float] | None = None,
        ) -> None:
            assert delta_m is not None
            lines.append(f"{number} {state}: {reason}")

    evaluator = Curves()
    search(space(evaluator), evaluator, TrialStore.in_memory(), trials=9, seed=0, progress=Lines())
    assert lines[:5] == [
        "0 complete: ",
        "1 complete: ",
        "2 to 3: rank 1 of 1 at epoch 1",
        "2 to 9: rank 1 of 1 at epoch 3",
        "2 complete: ",
    ]
    assert any(line.endswith("at epoch 1") and " paused: " in line for line in lines)


def test_without_early_stopping_no_rungs_are_stored() -> None:
    evaluator = Curves()
    store = TrialStore.in_memory()
    search(space_for(evaluator), evaluator, store, trials=6, seed=0)  # type: ignore[arg-type]
    assert {record.state for record in store.records()} == {"complete"}
    assert not any(record.rung_results for record in store.records())
    assert {epochs for _, epochs in evaluator.calls} == {None}


def test_rungs_after_the_last_epoch_are_refused() -> None:
    evaluator, early_stopping = Formula(), {"rungs": [1]}
    with pytest.raises(RunError, match="1 epochs"):
        search(
            space_for(evaluator, early_stopping=early_stopping),
            evaluator,
            TrialStore.in_memory(),
            trials=4,
            seed=0,
        )


def test_auto_rungs_of_a_short_training_pause_no_trial() -> None:
    evaluator, store, progress = Formula(), TrialStore.in_memory(), Notes()
    search(
        space_for(evaluator, early_stopping={}), evaluator, store, trials=8, seed=0,
        progress=progress,
    )  # fmt: skip
    assert {record.state for record in store.records()} == {"complete"}
    (note,) = [text for text in progress.notes if text.startswith("early stopping: ")]
    assert "every trial is trained in full" in note


def test_auto_rungs_of_the_first_session_remain() -> None:
    """Another version of the program may choose other rungs."""
    config = SearchConfig.model_validate({"early_stopping": {}})
    assert SuccessiveHalving.from_config(config, Curves()).rungs == (5,)
    resumed = SuccessiveHalving.from_config(config, Curves(), view(reference((1, 3))))
    assert resumed.rungs == (1, 3)
    assert SuccessiveHalving.from_config(config, Curves(), view(reference(()))).rungs == ()
    estimated = SuccessiveHalving.from_config(config, Curves(), view(reference((3, 5, 6))))
    assert estimated.rungs == (5,)  # an estimate keeps results at other epochs, too
    assert halving(rungs=[2]).rungs == (2,)
