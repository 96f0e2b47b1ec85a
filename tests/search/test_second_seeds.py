"""Second seeds, the end of a settled search, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from mtlsearch_search_spaces.skip import SkipSettings, SkipSpace
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.config import LimitsConfig, SearchConfig
from mtlsearch.plan import Cost, UnitSpec, plan_cost, tree_plans
from mtlsearch.plugin import Candidate
from mtlsearch.search import (
    CandidateSpace,
    FunctionEvaluator,
    NullProgress,
    build_candidate_space,
    search,
    verdict_of,
)
from mtlsearch.search.samplers import Observation, SharingGPSampler
from mtlsearch.search.space import proposal_of
from mtlsearch.study import StudyView, TrialStore, open_storage
from tests.search.synthetic import Formula, space_for, with_space

TASKS, UNITS = ("a", "b", "c"), 4


@dataclass
class Noisy:
    """Trainings whose scores have noise of their own for every plan and seed."""

    noise: float = 2.0
    interrupts_at: int | None = None
    shift: int = 0
    trained: list[tuple[int, str]] = field(default_factory=list)

    def score(self, candidate: Candidate, seed: int) -> dict[str, float]:
        if len(self.trained) == self.interrupts_at:
            raise KeyboardInterrupt
        plan = candidate.plan
        self.trained.append((seed, str(plan)))
        rng = np.random.default_rng([seed + self.shift, *str(plan).encode()])
        shared = [sum(row[index] == row[0] for row in plan.rows) for index in range(3)]
        best = 100.0 + 3.0 * shared[1] - 3.0 * shared[2]
        return {task: best + self.noise * rng.standard_normal() for task in TASKS}

    def at_seed(self, seed: int) -> FunctionEvaluator:
        return FunctionEvaluator(lambda candidate: self.score(candidate, seed), TASKS, UNITS)


def space_of(limits: LimitsConfig | None = None, **config: object) -> CandidateSpace:
    return build_candidate_space(
        TreeSpace(TreeSettings()),
        Noisy().at_seed(0),
        SearchConfig.model_validate({"stop_when_settled": False, **config}),
        limits=limits,
    )


def run(noisy: Noisy, store: TrialStore, trials: int, **config: object) -> StudyView:
    search(
        space_of(**config), noisy.at_seed(0), store, trials=trials, seed=0, at_seed=noisy.at_seed
    )
    return store.view()


def test_second_seeds_count_and_have_other_seeds() -> None:
    noisy = Noisy()
    view = run(noisy, TrialStore.in_memory(), 30)
    assert view.num_finished == len(noisy.trained) == len(set(noisy.trained)) == 30
    assert view.repeats
    assert len(view.records) + len(view.repeats) == 30
    for repeat in view.repeats:
        (repeated,) = (record for record in view.records if record.number == repeat.repeats)
        assert repeat.candidate == repeated.candidate
        assert (repeat.seed, str(repeat.candidate.plan)) in noisy.trained
        assert repeat.seed in range(1, 5)


@pytest.mark.parametrize("sampler", ["auto", "random"])
def test_second_seeds_are_bounded(sampler: str) -> None:
    """Only the default sampler trains second seeds."""
    max_seeds = 1 if sampler == "auto" else 5
    view = run(Noisy(), TrialStore.in_memory(), 14, sampler=sampler, max_seeds=max_seeds)
    assert not view.repeats
    assert verdict_of(view) is not None


@pytest.mark.parametrize("stop", [4, 12, 19])
def test_interrupted_search_trains_the_same_seeds(tmp_path: Path, stop: int) -> None:
    whole = Noisy()
    run(whole, TrialStore.in_memory(), 20)
    stopped, resumed = Noisy(interrupts_at=stop), Noisy()
    store = TrialStore(open_storage(None, tmp_path / "study.journal"), "test")
    with pytest.raises(KeyboardInterrupt):
        run(stopped, store, 20)
    again = TrialStore(open_storage(None, tmp_path / "study.journal"), "test")
    view = run(resumed, again, 20)
    assert stopped.trained + resumed.trained == whole.trained
    assert view.num_finished == 20


def test_failed_second_seed_is_not_repeated() -> None:
    class Failing(Noisy):
        def at_seed(self, seed: int) -> FunctionEvaluator:
            evaluator = super().at_seed(seed)
            if seed:
                from mtlsearch.errors import TrainingError

                def fail(*args: object, **options: object) -> None:
                    raise TrainingError("it would not train")

                evaluator.measure = fail  # type: ignore[method-assign, assignment]
            return evaluator

    noisy = Failing()
    view = run(noisy, TrialStore.in_memory(), 26, max_seeds=2)
    assert view.num_finished == 26
    numbers = [repeat.repeats for repeat in view.repeats]
    assert len(numbers) == len(set(numbers))
    assert {repeat.state for repeat in view.repeats} <= {"failed"}


def test_infeasible_plans_do_not_keep_a_search_going() -> None:
    """They are better than all others, but cannot be named."""
    space, quiet = space_of(), Noisy(noise=0.0)
    sampler = SharingGPSampler.for_space(space)
    assert sampler is not None
    measured, infeasible = list[Observation](), list[Observation]()
    for number, candidate in enumerate(space.enumerate() or ()):
        change = quiet.score(candidate, 0)["a"] - 100.0
        is_best = change > 6.0
        observation = Observation(
            proposal_of(space, candidate),
            candidate.digest,
            None if is_best else dict.fromkeys(TASKS, change),
            number=number,
        )
        (infeasible if is_best else measured).append(observation)
    assert infeasible
    # Several measured plans are equally good, so that a small regret remains.
    assert sampler.expected_regret(measured) > 3.0
    assert sampler.expected_regret([*measured, *infeasible]) < 1.0


def test_settled_search_ends_and_names_the_best_plan() -> None:
    noisy, store = Noisy(noise=0.05), TrialStore.in_memory()
    outcome = search(
        space_of(stop_when_settled=True), noisy.at_seed(0), store, trials=60, seed=0,
        at_seed=noisy.at_seed,
    )  # fmt: skip
    assert outcome.settled
    assert outcome.num_finished < 40
    assert "search.stop_when_settled" in outcome.reason
    verdict = verdict_of(store.view())
    assert verdict is not None
    (winner,) = (item for item in store.records() if item.number == verdict.winner)
    quiet = Noisy(noise=0.0)
    best = max(quiet.score(Candidate(plan), 0)["a"] for plan in tree_plans(TASKS, UNITS))
    assert quiet.score(winner.candidate, 0)["a"] >= best - 1.0


def test_verdict_names_no_plan_over_the_limits() -> None:
    """``independent`` is best by far, and exceeds the limit."""

    def score(candidate: Candidate) -> dict[str, float]:
        return dict.fromkeys(TASKS, 10.0 + sum(candidate.plan.copies))

    evaluator = FunctionEvaluator(score, TASKS, UNITS)
    space = build_candidate_space(
        TreeSpace(TreeSettings()), evaluator, limits=LimitsConfig.model_validate({"params": "2x"})
    )
    store = TrialStore.in_memory()
    search(space, evaluator, store, trials=8, seed=0)
    verdict = verdict_of(store.view())
    assert verdict is not None
    exceeding = {record.number for record in store.records() if record.over_limits}
    assert exceeding
    assert not {verdict.winner, verdict.recommended} & exceeding
    expected = verdict.expected
    assert expected.beats_independent is not None
    assert expected.beats_independent < 0.5


def test_verdict_recommends_the_cheapest_baseline_in_noise() -> None:
    """Scores are noise only, so that no plan is shown to beat ``hard``."""

    def score(candidate: Candidate) -> dict[str, float]:
        rng = np.random.default_rng([*str(candidate.plan).encode()])
        return {task: 100.0 + 5.0 * rng.standard_normal() for task in TASKS}

    evaluator, store = FunctionEvaluator(score, TASKS, UNITS), TrialStore.in_memory()
    search(space_of(), evaluator, store, trials=16, seed=0)
    verdict = verdict_of(store.view())
    assert verdict is not None
    (recommended,) = (item for item in store.records() if item.number == verdict.recommended)
    assert recommended.baseline == "hard"
    assert "hard" in " ".join(verdict.sentences)
    highest = max(store.view().delta_m_by_number.values())
    assert verdict.expected.mean < highest
    assert verdict.expected.deviation > 0


def test_verdict_of_a_clear_winner_recommends_it() -> None:
    view = run(Noisy(noise=0.2), TrialStore.in_memory(), 16)
    verdict = verdict_of(view)
    assert verdict is not None
    assert verdict.recommended == verdict.winner
    expected = verdict.expected
    assert expected.beats_hard is not None
    assert expected.beats_independent is not None
    assert min(expected.beats_hard, expected.beats_independent) > 0.9
    assert f"trial {verdict.winner}" in verdict.sentences[0]
    assert "noise" not in verdict.sentences[0]


def test_verdict_explains_a_best_plan_that_was_measured_worse() -> None:
    verdict = verdict_of(run(Noisy(noise=10.0, shift=7000), TrialStore.in_memory(), 10))
    assert verdict is not None
    assert verdict.measured < 0 < verdict.expected.mean
    assert "The loss measured is within the noise" in verdict.sentences[0]


@pytest.mark.parametrize(("trials", "is_early"), [(2, True), (5, True), (6, False)])
def test_verdict_after_few_trainings_is_expected_to_change(trials: int, is_early: bool) -> None:
    verdict = verdict_of(run(Noisy(noise=0.2), TrialStore.in_memory(), trials))
    assert verdict is not None
    sentence = f"From {trials} trainings: expect this to change."
    assert (verdict.sentences[-1] == sentence) == is_early
    assert ("expect this to change" in str(verdict)) == is_early


def test_verdict_needs_two_tasks_and_a_second_trial() -> None:
    assert verdict_of(StudyView()) is None
    evaluator = FunctionEvaluator(lambda candidate: {"a": 1.0}, ["a"], UNITS)
    space = build_candidate_space(TreeSpace(TreeSettings()), evaluator)
    store = TrialStore.in_memory()
    search(space, evaluator, store, trials=1, seed=0)
    assert verdict_of(store.view()) is None


def test_plans_that_skip_units_have_no_verdict() -> None:
    """The model has no feature for skipped units."""

    class Skippable(Formula):
        def units(self, backbone: str) -> list[UnitSpec]:
            return [replace(unit, skippable=True) for unit in super().units(backbone)]

        def cost(self, candidate: Candidate) -> Cost:
            return plan_cost(candidate.plan, self.units("one"))

    evaluator, store = Skippable(), TrialStore.in_memory()
    space = replace(with_space(SkipSpace(SkipSettings())), units_of=evaluator.units)
    search(space, evaluator, store, trials=8, seed=0)
    assert any(record.candidate.plan.has_skips for record in store.records())
    assert verdict_of(store.view()) is None


def test_leader_of_a_search_is_the_winner_of_its_verdict() -> None:
    reported: list[tuple[int, float, tuple[float, float] | None]] = []

    class Best(NullProgress):
        def best(
            self, number: int, delta_m: float, expected: tuple[float, float] | None = None
        ) -> None:
            reported.append((number, delta_m, expected))

    store, evaluator = TrialStore.in_memory(), Formula()
    search(space_for(evaluator), evaluator, store, trials=12, seed=0, progress=Best())
    verdict = verdict_of(store.view())
    assert verdict is not None
    number, measured, expected = reported[-1]
    assert (number, measured) == (verdict.winner, verdict.measured)
    assert expected == pytest.approx((verdict.expected.mean, verdict.expected.deviation))
