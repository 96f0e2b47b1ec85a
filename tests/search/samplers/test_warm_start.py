"""Warm start: the first proposal comes from task affinity."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.affinity import Affinity, plan_scores, similarity_threshold, write_affinity
from mtlsearch.config import SearchConfig
from mtlsearch.errors import RunError
from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.plugin import Candidate
from mtlsearch.runs._warm_start import read_warm_start
from mtlsearch.search import (
    CandidateSpace,
    FunctionEvaluator,
    build_candidate_space,
    search,
)
from mtlsearch.study import RunDirectory, TrialStore
from tests.affinity.matrices import affinity
from tests.search.synthetic import QUICK_SAMPLERS

TASKS, UNITS = "abc", 4
AFFINITY = affinity(
    TASKS,
    similarity=[
        {("a", "b"): 0.9, ("a", "c"): 0.9, ("b", "c"): 0.9},
        {("a", "b"): 0.9, ("a", "c"): 0.1, ("b", "c"): 0.1},
        {("a", "b"): 0.9, ("a", "c"): 0.1, ("b", "c"): 0.1},
        {("a", "b"): 0.1, ("a", "c"): 0.1, ("b", "c"): 0.1},
    ],
)
BEST_PLAN = SharingPlan.from_splits(["c", "a", "b"], [1, 3], units=UNITS)


def score(candidate: Candidate) -> dict[str, float]:
    return dict.fromkeys(candidate.plan.tasks, 10.0 + candidate.plan.copies[1])


def space_with(
    warm_start: Affinity | None,
    tasks: str = TASKS,
    allowed_plans: Collection[SharingPlan] | None = None,
    **config: object,
) -> CandidateSpace:
    return build_candidate_space(
        TreeSpace(TreeSettings(first_shared=1)),
        FunctionEvaluator(score, tuple(tasks), UNITS),
        SearchConfig.model_validate(config),
        allowed_plans=allowed_plans,
        affinity=warm_start,
    )


def searched(
    space: CandidateSpace, trials: int, store: TrialStore | None = None
) -> list[Candidate]:
    store = store or TrialStore.in_memory()
    evaluator = FunctionEvaluator(score, space.tasks, UNITS)
    search(space, evaluator, store, trials=trials, seed=0)
    return [record.candidate for record in store.records()]


@pytest.mark.parametrize("sampler", QUICK_SAMPLERS)
def test_best_plan_by_affinity_follows_the_baselines(sampler: str) -> None:
    candidates = searched(space_with(AFFINITY, sampler=sampler), 8)
    assert [str(candidate.plan) for candidate in candidates[:2]] == ["independent", "hard"]
    assert candidates[2].plan == BEST_PLAN
    assert len({candidate.digest for candidate in candidates}) == 8


def test_without_warm_start_another_plan_is_proposed() -> None:
    assert searched(space_with(None), 8)[2].plan != BEST_PLAN


def test_resumed_search_proposes_the_plan_once() -> None:
    store = TrialStore.in_memory()
    searched(space_with(AFFINITY), 2, store)
    for trials in (3, 4, 5):
        candidates = searched(space_with(AFFINITY), trials, store)
    assert [candidate.plan for candidate in candidates].count(BEST_PLAN) == 1
    assert candidates == searched(space_with(AFFINITY), 5)


def test_baselines_are_not_proposed() -> None:
    flat = affinity(TASKS, similarity=[{}] * UNITS)  # ``hard`` has the best score
    proposed = searched(space_with(flat), 3)[2].plan
    assert str(proposed) not in ("hard", "independent")


def test_only_allowed_plans_are_proposed() -> None:
    allowed = frozenset(list(tree_plans(TASKS, UNITS, first_shared=1))[::2]) - {BEST_PLAN}
    proposed = searched(space_with(AFFINITY, allowed_plans=allowed), 3)[2].plan
    plans = [plan for plan in allowed if str(plan) != "hard"]
    best = plan_scores(AFFINITY, plans, similarity_threshold(AFFINITY)).max()
    assert proposed in allowed
    assert plan_scores(AFFINITY, [proposed], similarity_threshold(AFFINITY))[0] == pytest.approx(
        best
    )


@pytest.mark.parametrize(
    "config", [{"learning_rate": [0.1, 10.0]}, {"loss_weights": "search"}, {"balancer": ["uw"]}]
)
def test_other_dimensions_may_be_searched(config: dict[str, object]) -> None:
    candidates = searched(space_with(AFFINITY, **config), 5)
    assert candidates[2].plan == BEST_PLAN
    assert candidates[2].balancer == ("uw" if "balancer" in config else "static")


def test_fixed_weights_are_kept() -> None:
    weights = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert searched(space_with(AFFINITY, loss_weights=weights), 3)[2].loss_weights == weights


def test_plan_outside_of_the_space_is_not_proposed() -> None:
    """All tasks must share the first unit, and the affinity is best without it."""
    apart = affinity(TASKS, similarity=np.stack([np.eye(3), *AFFINITY.representations[1:]]))
    candidates = searched(space_with(apart, learning_rate=[0.1, 10.0]), 4)
    assert len({candidate.digest for candidate in candidates}) == 4
    assert all(candidate.plan.copies[0] == 1 for candidate in candidates[2:])


def test_affinity_of_the_run_is_kept() -> None:
    assert space_with(None).affinity is None
    assert space_with(AFFINITY).affinity is AFFINITY


def test_affinity_of_other_units_is_refused() -> None:
    with pytest.raises(RunError, match="has the units unit0, other, x, y, the run has unit0"):
        space_with(replace(AFFINITY, units=("unit0", "other", "x", "y")))


def test_affinity_of_other_tasks_is_refused() -> None:
    with pytest.raises(RunError, match="has the tasks a, b, c, the run has a, b, d") as error:
        space_with(AFFINITY, tasks="abd")
    assert error.value.where == "search.warm_start"


class TestReadWarmStart:
    """``search.warm_start`` of a run file."""

    def test_affinity_is_read_from_the_run_or_a_path(self, tmp_path: Path) -> None:
        run = RunDirectory(tmp_path / "run")
        write_affinity(AFFINITY, run.affinity)
        for warm_start in ("affinity", run.affinity, run.affinity / "affinity.json"):
            config = SearchConfig.model_validate({"warm_start": warm_start})
            affinity_of_run = read_warm_start(config, run)
            assert affinity_of_run is not None
            assert affinity_of_run.tasks == AFFINITY.tasks
        assert read_warm_start(SearchConfig(), run) is None

    def test_missing_affinity_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(RunError, match="task affinity does not exist"):
            read_warm_start(SearchConfig(warm_start="affinity"), RunDirectory(tmp_path))
