"""Estimate of all plans: choice of plans, short trainings, ranking, prior mean, resumption."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from optuna.storages import InMemoryStorage
from scipy.stats import spearmanr

from mtlsearch.config import SearchConfig
from mtlsearch.errors import RunError, TrainingError
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.plugin import Candidate
from mtlsearch.results import TrialRecord
from mtlsearch.search import (
    CandidateSpace,
    FunctionEvaluator,
    NullProgress,
    build_candidate_space,
    search,
)
from mtlsearch.search.estimate import (
    Estimate,
    ShortStudy,
    design,
    early_epoch,
    next_design,
    rank_plans,
    train_for_estimate,
    train_with_own_schedule,
    with_short_trainings,
)
from mtlsearch.search.estimate._task_model import _scaled_prior
from mtlsearch.search.samplers._gp_surrogate import sharing_features
from mtlsearch.search.space import propose_baseline
from mtlsearch.study import StudyView, TrialStore

TASKS, UNITS, EPOCHS = ("a", "b", "c"), 5, 9
GAINS = {("a", "b"): 2.0, ("a", "c"): -3.0, ("b", "c"): -1.0}
"""Change of both tasks in percent per unit that they share."""


def true_changes(plan: SharingPlan) -> dict[str, float]:
    changes = dict.fromkeys(TASKS, 0.0)
    for (left, right), gain in GAINS.items():
        pair = TASKS.index(left), TASKS.index(right)
        shared = sum(row[pair[0]] == row[pair[1]] for row in plan.rows)
        changes[left] += gain * shared
        changes[right] += gain * shared
    return changes


def score(candidate: Candidate, epoch: int) -> dict[str, float]:
    """Return scores whose changes are twice as large at first as at the end, with noise."""
    changes = true_changes(candidate.plan)
    rng = np.random.default_rng([int(candidate.plan.digest[:8], 16), epoch])
    noise = 0.3 * rng.standard_normal(len(TASKS)) * candidate.plan.shares
    factor = 2.0 - (epoch - 1) / (EPOCHS - 1)
    return {
        task: 100.0 + factor * changes[task] + float(noise[index])
        for index, task in enumerate(TASKS)
    }


def evaluator_of(epochs: int = EPOCHS) -> FunctionEvaluator:
    return FunctionEvaluator.from_curve(score, TASKS, UNITS, epochs=epochs, seconds=1.0)


def space_of(
    evaluator: FunctionEvaluator,
    config: Mapping[str, object] | None = None,
    allowed_plans: Sequence[SharingPlan] | None = None,
) -> CandidateSpace:
    return build_candidate_space(
        TreeSpace(TreeSettings()),
        evaluator,
        SearchConfig.model_validate(config or {}),
        allowed_plans=None if allowed_plans is None else frozenset(allowed_plans),
    )


def ranked(
    space: CandidateSpace,
    view: StudyView,
    prior: Mapping[str, Mapping[SharingPlan, float]] | None = None,
) -> Estimate:
    evaluator = evaluator_of()
    return rank_plans(space, view, cost=evaluator.cost, epochs=3, full_epochs=EPOCHS, prior=prior)


@pytest.fixture(scope="module")
def store() -> TrialStore:
    evaluator, trials = evaluator_of(), TrialStore.in_memory()
    train_for_estimate(space_of(evaluator), evaluator, trials, progress=NullProgress())
    return trials


@pytest.fixture(scope="module")
def estimate(store: TrialStore) -> Estimate:
    return ranked(space_of(evaluator_of()), store.view())


def copy_of(store: TrialStore, changed: TrialRecord) -> TrialStore:
    """Return a store with the same trials, one of which differs."""
    copied = TrialStore.in_memory()
    for record in store.view().records:
        new = changed if record.number == changed.number else record
        params = store.view().params_by_number[record.number]
        started = copied.start(replace(new, state="running"), params.params, params.distributions)
        if new.state == "paused":
            copied.write(replace(new, number=started.number))
        else:
            copied.finish(replace(new, number=started.number), 0.0)
    return copied


class TestDesign:
    """Which plans are trained."""

    def test_design_is_more_informative_than_random(self) -> None:
        plans = list(tree_plans(TASKS, UNITS))
        features = sharing_features(plans)
        rng = np.random.default_rng(0)

        def information(indices: Sequence[int]) -> float:
            chosen_features = features[:, list(indices), :, None] >> np.arange(len(TASKS))
            shared = (chosen_features & 1).sum(axis=2).astype(float)
            rows = np.concatenate([np.ones_like(shared[..., :1]), shared], axis=2)
            grams = np.einsum("tnf,tng->tfg", rows, rows) + 0.1 * np.eye(rows.shape[2])
            return float(np.linalg.slogdet(grams)[1].sum())

        chosen = design(features, [0, len(plans) - 1], 6)
        drawn = [information(rng.choice(len(plans), 6, replace=False)) for _ in range(100)]
        assert len(set(chosen)) == 6
        assert information(chosen) > np.quantile(drawn, 0.95)

    def test_design_of_few_plans_ends(self) -> None:
        features = sharing_features(list(tree_plans(("a", "b"), 2)))
        assert sorted(design(features, [0], 10)) == list(range(1, features.shape[1]))
        assert next_design(features, [0], range(features.shape[1])) is None


class TestTrainings:
    """Which trials an estimate runs."""

    def test_baselines_are_complete_and_plans_paused(self, store: TrialStore) -> None:
        records = store.view().records
        assert [record.baseline for record in records[:2]] == ["independent", "hard"]
        assert [record.state for record in records] == ["complete"] * 2 + ["paused"] * 6
        assert {record.epochs for record in records[2:]} == {early_epoch(EPOCHS)} == {3}

    def test_second_call_trains_nothing(self, store: TrialStore) -> None:
        evaluator = evaluator_of()
        before = store.view().records
        train_for_estimate(space_of(evaluator), evaluator, store, progress=NullProgress())
        assert store.view().records == before

    def test_interrupted_estimate_trains_the_same_plans(self, store: TrialStore) -> None:
        evaluator, trials = evaluator_of(), TrialStore.in_memory()
        for count in (2, 6):
            train_for_estimate(
                space_of(evaluator), evaluator, trials, plans=count, progress=NullProgress()
            )
        expected = [record.candidate.digest for record in store.view().records]
        assert [record.candidate.digest for record in trials.view().records] == expected

    def test_plans_are_within_the_limits(self) -> None:
        allowed = [plan for plan in tree_plans(TASKS, UNITS) if sum(plan.copies) <= 8]
        evaluator, trials = evaluator_of(), TrialStore.in_memory()
        space = space_of(evaluator, allowed_plans=allowed)
        train_for_estimate(space, evaluator, trials, progress=NullProgress())
        proposed = [record for record in trials.view().records if record.baseline is None]
        assert len(proposed) == 6
        assert all(record.candidate.plan in allowed for record in proposed)

    def test_baseline_without_early_results_raises(self) -> None:
        evaluator, trials = evaluator_of(), TrialStore.in_memory()
        space = space_of(evaluator)
        search(space, evaluator, trials, trials=2, seed=0)
        with pytest.raises(RunError, match="has no results at epoch 3"):
            train_for_estimate(space, evaluator, trials, progress=NullProgress())


class TestRanking:
    """Order and errors of all plans."""

    def test_estimate_ranks_plans_that_were_not_trained(self, estimate: Estimate) -> None:
        rest = [item for item in estimate.plans if not item.is_trained]
        assert len(rest) == 43
        for task in TASKS:
            expected = [item.mean_by_task[task] for item in rest]
            true = [true_changes(item.plan)[task] for item in rest]
            assert spearmanr(expected, true)[0] > 0.9

    def test_independent_is_the_reference(self, estimate: Estimate) -> None:
        item = next(item for item in estimate.plans if item.baseline == "independent")
        assert (item.mean, item.deviation) == (0.0, 0.0)
        means = [item.mean for item in estimate.plans]
        assert means == sorted(means, reverse=True)

    def test_deviation_is_smaller_for_trained_plans(self, estimate: Estimate) -> None:
        by_training = {
            is_trained: np.mean(
                [
                    item.deviation
                    for item in estimate.plans
                    if item.is_trained == is_trained and item.baseline is None
                ]
            )
            for is_trained in (True, False)
        }
        assert by_training[True] < by_training[False]

    def test_best_plan_exceeds_the_baseline(self, estimate: Estimate) -> None:
        assert estimate.better_baseline == "independent"
        assert estimate.is_shown
        assert estimate.difference == pytest.approx(estimate.best.mean)
        assert estimate.difference_deviation == pytest.approx(estimate.best.deviation)

    def test_json_round_trip_returns_the_estimate(self, estimate: Estimate) -> None:
        assert Estimate.from_json(estimate.to_json()) == estimate
        with pytest.raises(RunError, match="the estimate cannot be read"):
            Estimate.from_json({"plans": 3})

    def test_noise_alone_shows_no_plan(self) -> None:
        shown = 0
        for draw in range(5):

            def noise(candidate: Candidate, epoch: int, draw: int = draw) -> dict[str, float]:
                rng = np.random.default_rng([int(candidate.plan.digest[:8], 16), epoch, draw])
                return {task: 100.0 + float(rng.standard_normal()) for task in TASKS}

            evaluator = FunctionEvaluator.from_curve(noise, TASKS, UNITS, epochs=EPOCHS)
            space, trials = space_of(evaluator), TrialStore.in_memory()
            train_for_estimate(space, evaluator, trials, progress=NullProgress())
            result = ranked(space, trials.view())
            difference, deviation = result.difference, result.difference_deviation
            shown += difference > 1.3 * deviation  # a probability of 0.9
        assert shown <= 1

    def test_task_not_counted_early_is_missing_not_zero(self) -> None:
        def late(candidate: Candidate, epoch: int) -> dict[str, float]:
            scores = score(candidate, epoch)
            return scores | {"c": scores["c"] if epoch > 3 else 0.0}

        evaluator = FunctionEvaluator.from_curve(late, TASKS, UNITS, epochs=EPOCHS, seconds=1.0)
        space, store = space_of(evaluator), TrialStore.in_memory()
        train_for_estimate(space, evaluator, store, progress=NullProgress())
        result = rank_plans(space, store.view(), cost=evaluator.cost, epochs=3, full_epochs=EPOCHS)
        of_hard = next(item for item in result.plans if item.baseline == "hard")
        # Two complete trainings of `c`: as six zeros more, its noise would exceed its change.
        assert of_hard.mean_by_task["c"] < -10.0, true_changes(of_hard.plan)
        unknown = [item for item in result.plans if item.is_trained and item.baseline is None]
        assert len(unknown) == 6
        sharing = [item for item in unknown if true_changes(item.plan)["c"] != 0.0]
        assert sharing
        for item in sharing:
            assert item.deviation_by_task["c"] > item.deviation_by_task["a"]
        assert result.task_by_name["c"].left_out is None  # of two trainings

    def test_killed_trial_counts_with_its_results(self, store: TrialStore) -> None:
        (paused, *_) = [item for item in store.view().records if item.state == "paused"]
        whole = ranked(space_of(evaluator_of()), store.view())
        killed = copy_of(store, replace(paused, state="interrupted"))
        before = len(killed.view().records)
        evaluator = evaluator_of()
        train_for_estimate(space_of(evaluator), evaluator, killed, progress=NullProgress())
        assert len(killed.view().records) == before
        assert ranked(space_of(evaluator), killed.view()) == whole

    def test_baseline_of_another_worker_is_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage, evaluator = InMemoryStorage(), evaluator_of()
        space = space_of(evaluator)
        other, worker = TrialStore(storage, "test"), TrialStore(storage, "test")
        other_folder = tmp_path / "other"
        other_folder.mkdir()
        baseline = propose_baseline(space, "independent")
        running = TrialRecord(0, "running", "independent", baseline.candidate, 1, 1)
        measured = evaluator.measure(0, baseline.candidate, NullProgress(), None)
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 2:
                complete = replace(
                    record,
                    state="complete",
                    results=measured.results,
                    rung_results={epoch: measured.results_by_epoch[epoch] for epoch in (3, 6)},
                    epochs=EPOCHS,
                )
                other.finish(complete, 0.0)

        with other.joined(other_folder), worker.joined(tmp_path):
            monkeypatch.setattr(worker, "_living", lambda: {worker._worker_id, other._worker_id})
            record = other.start(running, baseline.params, baseline.distributions)
            monkeypatch.setattr(time, "sleep", sleep)
            rung = train_for_estimate(space, evaluator, worker, plans=2, progress=NullProgress())
        assert rung == 3
        assert len(waits) == 2
        baselines = [item.baseline for item in worker.view().records]
        assert baselines == ["independent", "hard", None, None]

    def test_space_without_trees_of_two_tasks_raises(self) -> None:
        evaluator = FunctionEvaluator(lambda candidate: {"a": 1.0}, ["a"], UNITS)
        with pytest.raises(RunError, match="cannot be estimated"):
            train_for_estimate(
                space_of(evaluator), evaluator, TrialStore.in_memory(), progress=NullProgress()
            )


def short_score(candidate: Candidate, epoch: int) -> dict[str, float]:
    """Return scores that no full training has at any epoch."""
    return {task: 50.0 + change for task, change in true_changes(candidate.plan).items()}


class TestOwnSchedule:
    """Short trainings with a schedule of their own, in a study of their own."""

    def train(
        self, store: TrialStore, short: TrialStore, plans: int = 6, fails: str = ""
    ) -> tuple[int, StudyView]:
        def short_at(epochs: int) -> ShortStudy:
            def measured(candidate: Candidate, epoch: int) -> dict[str, float]:
                if str(candidate.plan) == fails:
                    raise TrainingError("the loss is NaN")
                return short_score(candidate, epoch)

            return ShortStudy(
                FunctionEvaluator.from_curve(measured, TASKS, UNITS, epochs=epochs), short
            )

        evaluator = evaluator_of()
        return train_with_own_schedule(
            space_of(evaluator), evaluator, store, short_at, plans=plans, progress=NullProgress()
        )

    def test_studies_have_full_and_short_trainings_only(self) -> None:
        store, short = TrialStore.in_memory(), TrialStore.in_memory()
        epochs, view = self.train(store, short)
        assert epochs == 3
        assert [(item.baseline, item.epochs) for item in store.view().records] == [
            ("independent", EPOCHS),
            ("hard", EPOCHS),
        ]
        shorts = short.view().records
        assert {(item.state, item.epochs) for item in shorts} == {("complete", 3)}
        assert [item.baseline for item in shorts] == ["independent", "hard", *[None] * 6]
        assert [item.rung_results[3] for item in view.records] == [item.results for item in shorts]
        states = [item.state for item in view.records]
        assert states == ["complete"] * 2 + ["paused"] * 6

    def test_resumed_estimate_trains_the_same_plans_once(self, store: TrialStore) -> None:
        trials, short = TrialStore.in_memory(), TrialStore.in_memory()
        for count in (2, 6, 6):
            self.train(trials, short, count)
        plans = [item.candidate.plan for item in short.view().records]
        assert plans == [item.candidate.plan for item in store.view().records]

    def test_ranking_uses_short_results(self) -> None:
        _, view = self.train(TrialStore.in_memory(), TrialStore.in_memory())
        result = ranked(space_of(evaluator_of()), view)
        rest = [item for item in result.plans if not item.is_trained]
        assert len(rest) == 43
        for task in TASKS:
            expected = [item.mean_by_task[task] for item in rest]
            true = [true_changes(item.plan)[task] for item in rest]
            assert spearmanr(expected, true)[0] > 0.9

    def test_failed_plan_is_replaced_by_another(self) -> None:
        store, short = TrialStore.in_memory(), TrialStore.in_memory()
        first = str(next(item for item in self.chosen() if item.baseline is None).candidate.plan)
        self.train(store, short, fails=first)
        states = [item.state for item in short.view().records]
        assert states == ["complete", "complete", "failed", *["complete"] * 6]

    def test_failed_hard_is_not_trained_again(self) -> None:
        store, short = TrialStore.in_memory(), TrialStore.in_memory()
        for _ in range(2):
            self.train(store, short, plans=1, fails=str(SharingPlan.hard(TASKS, UNITS)))
        states = [(item.baseline, item.state) for item in short.view().records]
        assert states == [("independent", "complete"), ("hard", "failed"), (None, "complete")]

    def test_failed_independent_names_the_short_training(self) -> None:
        independent = str(SharingPlan.independent(TASKS, UNITS))
        with pytest.raises(RunError, match="a short training of independent failed: ") as caught:
            self.train(TrialStore.in_memory(), TrialStore.in_memory(), fails=independent)
        assert caught.value.where == "short_trainings/3, trial 0"
        assert caught.value.next_step == "estimate without --own-schedule"

    def chosen(self) -> tuple[TrialRecord, ...]:
        short = TrialStore.in_memory()
        self.train(TrialStore.in_memory(), short, plans=1)
        return short.view().records

    @given(data=st.data())
    @settings(max_examples=8, deadline=None)
    def test_combined_study_never_mixes_schedules(self, data: st.DataObject) -> None:
        """Whatever a search trained and paused in the run, an epoch has short results only."""
        evaluator, store, short = evaluator_of(), TrialStore.in_memory(), TrialStore.in_memory()
        space = space_of(evaluator)
        self.train(store, short, plans=data.draw(st.integers(1, 4), label="short"))
        started = data.draw(st.integers(0, 4), label="paused by a former estimate")
        if started:
            train_for_estimate(space, evaluator, store, plans=started, progress=NullProgress())
        trials = data.draw(st.integers(2, 3), label="trials of a search")
        search(space, evaluator, store, trials=trials, seed=data.draw(st.integers(0, 99)))
        view, of_short = store.view(), short.view()
        combined = with_short_trainings(view, of_short, 3)
        numbers = [item.number for item in combined.records]
        assert len(set(numbers)) == len(numbers)
        plans = [item.candidate.digest for item in combined.records]
        assert len(set(plans)) == len(plans)
        short_results = {item.candidate.digest: item.results for item in of_short.records}
        for record in combined.records:
            if 3 in record.rung_results:
                assert record.rung_results[3] == short_results[record.candidate.digest]
        complete = {item.candidate.digest for item in view.records if item.state == "complete"}
        assert set(short_results) | complete == set(plans)
        rank_plans(space, combined, cost=evaluator.cost, epochs=3, full_epochs=EPOCHS)


class TestPriorMean:
    """An estimate from elsewhere, such as from merged networks."""

    def prior(self, factor: float) -> dict[str, dict[SharingPlan, float]]:
        plans = [*tree_plans(TASKS, UNITS)]
        return {task: {plan: factor * true_changes(plan)[task] for plan in plans} for task in TASKS}

    def test_correlated_prior_mean_lowers_the_errors(
        self, store: TrialStore, estimate: Estimate
    ) -> None:
        result = ranked(space_of(evaluator_of()), store.view(), self.prior(3.0))
        for task in TASKS:
            scale = result.task_by_name[task].prior_scale
            assert scale is not None
            assert 0.0 < scale < 1.0
        plain = {item.plan: item for item in estimate.plans}

        def error(items: Sequence[object]) -> float:
            pairs = [(item.mean, item.plan) for item in items]  # type: ignore[attr-defined]
            true = [np.mean(list(true_changes(plan).values())) for _, plan in pairs]
            slope = np.polyfit([mean for mean, _ in pairs], true, 1)
            return float(np.std(np.polyval(slope, [mean for mean, _ in pairs]) - true))

        assert error(result.plans) < error(list(plain.values()))

    def test_uncorrelated_prior_mean_is_dropped(
        self, store: TrialStore, estimate: Estimate
    ) -> None:
        result = ranked(space_of(evaluator_of()), store.view(), self.prior(-1.0))
        for item in result.task_by_name.values():
            assert item.prior_scale == 0.0
            assert item.prior_correlation is not None
            assert item.prior_correlation < 0.3
        assert [item.plan for item in result.plans] == [item.plan for item in estimate.plans]

    def test_prior_mean_of_opposite_sign_never_inverts_the_order(self) -> None:
        plans = [*tree_plans(TASKS, UNITS)]
        changes = np.linspace(1.0, 4.5, len(plans))
        prior = dict(zip(plans, changes - 20.0, strict=True))
        scaled = _scaled_prior(prior, changes, plans, plans)
        assert scaled.correlation == pytest.approx(1.0)
        assert scaled.scale == 0.0
        assert not scaled.offsets.any()


class TestLaterSearch:
    """A search in the run directory of an estimate."""

    def run(self, trials: int, config: Mapping[str, object] | None = None) -> StudyView:
        evaluator, store = evaluator_of(), TrialStore.in_memory()
        space = space_of(evaluator, config)
        train_for_estimate(space, evaluator, store, progress=NullProgress())
        search(space, evaluator, store, trials=trials, seed=0)
        return store.view()

    def test_best_plans_resume_and_keep_their_numbers(self) -> None:
        view = self.run(4)
        assert len(view.records) == 8
        complete = [record for record in view.records if record.state == "complete"]
        assert len(complete) == 4
        assert all(record.epochs == EPOCHS for record in complete)
        resumed = [record for record in complete if record.baseline is None]
        assert all(3 in record.rung_results for record in resumed)

    def test_paused_trials_do_not_count(self) -> None:
        view = self.run(7, {"stop_when_settled": False})
        assert sum(record.state == "complete" for record in view.records) == 7

    def test_early_stopping_continues_from_the_estimate(self) -> None:
        rungs = {"early_stopping": {"rungs": [3, 6]}}
        view = self.run(12, {**rungs, "stop_when_settled": False})
        assert view.num_finished == 12
        assert {record.epochs for record in view.records} <= {3, 6, 9}
        assert any(record.epochs == 9 and record.baseline is None for record in view.records)

    def test_all_plans_are_trained_in_a_small_space(self) -> None:
        plans = [*tree_plans(TASKS, UNITS)][:12]
        evaluator, store = evaluator_of(), TrialStore.in_memory()
        space = space_of(evaluator, {"stop_when_settled": False}, plans)
        train_for_estimate(space, evaluator, store, progress=NullProgress())
        outcome = search(space, evaluator, store, trials=100, seed=0)
        assert outcome.exhausted
        trained = {record.candidate.plan for record in store.view().records}
        assert set(plans) <= trained
        assert all(record.state == "complete" for record in store.view().records)


def test_early_epoch_is_a_third_rounded_up() -> None:
    assert [early_epoch(epochs) for epochs in (1, 3, 8, 15)] == [1, 1, 3, 5]


def test_one_epoch_trains_plans_in_full() -> None:
    evaluator = evaluator_of(epochs=1)
    space, store = space_of(evaluator), TrialStore.in_memory()
    assert train_for_estimate(space, evaluator, store, progress=NullProgress()) == 1
    assert {record.state for record in store.view().records} == {"complete"}
