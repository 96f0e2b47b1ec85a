"""A first proposal by task affinity."""

from __future__ import annotations

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
from mtlsearch.runs._prior import read_prior, with_prior
from mtlsearch.search import CandidateSpace, FunctionEvaluator, search
from mtlsearch.study import RunDirectory, TrialStore
from tests.affinity.matrices import affinity

TASKS, UNITS = "abc", 4
KNOWN = affinity(
    TASKS,
    alike=[
        {("a", "b"): 0.9, ("a", "c"): 0.9, ("b", "c"): 0.9},
        {("a", "b"): 0.9, ("a", "c"): 0.1, ("b", "c"): 0.1},
        {("a", "b"): 0.9, ("a", "c"): 0.1, ("b", "c"): 0.1},
        {("a", "b"): 0.1, ("a", "c"): 0.1, ("b", "c"): 0.1},
    ],
)
PROMISED = SharingPlan.from_splits(["c", "a", "b"], [1, 3], units=UNITS)


def score(candidate: Candidate) -> dict[str, float]:
    return dict.fromkeys(candidate.plan.tasks, 10.0 + candidate.plan.copies[1])


def space_with(prior: Affinity | None, tasks: str = TASKS, **config: object) -> CandidateSpace:
    evaluator = FunctionEvaluator(score, tuple(tasks), UNITS)
    given = SearchConfig.model_validate(config)
    plain = CandidateSpace.of(TreeSpace(TreeSettings(first_shared=1)), evaluator, given)
    return replace(plain, prior=prior)


def searched(
    space: CandidateSpace, trials: int, store: TrialStore | None = None
) -> list[Candidate]:
    store = store or TrialStore.in_memory()
    evaluator = FunctionEvaluator(score, space.tasks, UNITS)
    search(space, evaluator, store, trials=trials, seed=0)
    return [record.candidate for record in store.records()]


@pytest.mark.parametrize("sampler", ["auto", "tpe", "random", "nsga2"])
def test_what_affinity_promises_comes_behind_the_baselines(sampler: str) -> None:
    tried = searched(space_with(KNOWN, sampler=sampler), 8)
    assert [str(at.plan) for at in tried[:2]] == ["independent", "hard"]
    assert tried[2].plan == PROMISED
    assert len({at.digest for at in tried}) == 8


def test_without_a_prior_nothing_changes() -> None:
    assert searched(space_with(None), 8)[2].plan != PROMISED


def test_a_search_that_was_stopped_proposes_it_once() -> None:
    store = TrialStore.in_memory()
    searched(space_with(KNOWN), 2, store)
    for trials in (3, 4, 5):
        tried = searched(space_with(KNOWN), trials, store)
    assert [at.plan for at in tried].count(PROMISED) == 1
    assert tried == searched(space_with(KNOWN), 5)


def test_baselines_are_not_what_is_proposed() -> None:
    flat = affinity(TASKS, alike=[{}] * UNITS)  # which promises most of ``hard``
    proposed = searched(space_with(flat), 3)[2].plan
    assert str(proposed) not in ("hard", "independent")


def test_only_what_may_be_proposed_is() -> None:
    allowed = frozenset(list(tree_plans(TASKS, UNITS, first_shared=1))[::2]) - {PROMISED}
    space = replace(space_with(KNOWN), only=allowed)
    proposed = searched(space, 3)[2].plan
    plans = [plan for plan in allowed if str(plan) != "hard"]
    best = plan_scores(KNOWN, plans, similarity_threshold(KNOWN)).max()
    assert proposed in allowed
    assert plan_scores(KNOWN, [proposed], similarity_threshold(KNOWN))[0] == pytest.approx(best)


@pytest.mark.parametrize(
    "config", [{"learning_rate": [0.1, 10.0]}, {"loss_weights": "search"}, {"balancer": ["uw"]}]
)
def test_more_than_plans_may_be_searched(config: dict[str, object]) -> None:
    tried = searched(space_with(KNOWN, **config), 5)
    assert tried[2].plan == PROMISED
    assert tried[2].balancer == ("uw" if "balancer" in config else "static")


def test_fixed_weights_are_kept() -> None:
    weights = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert searched(space_with(KNOWN, loss_weights=weights), 3)[2].loss_weights == weights


def test_a_plan_that_the_space_does_not_have_is_not_proposed() -> None:
    """The first unit is to be shared, and an affinity may say otherwise."""
    apart = affinity(TASKS, alike=np.stack([np.eye(3), *KNOWN.representations[1:]]))
    tried = searched(space_with(apart, learning_rate=[0.1, 10.0]), 4)
    assert len({at.digest for at in tried}) == 4
    assert all(at.plan.copies[0] == 1 for at in tried[2:])


class TestPrior:
    """``search.warm_start`` of a run file."""

    def test_it_is_read_from_the_run_or_from_where_it_says(self, tmp_path: Path) -> None:
        run = RunDirectory(tmp_path / "run")
        write_affinity(KNOWN, run.affinity)
        for prior in ("affinity", run.affinity, run.affinity / "affinity.json"):
            found = read_prior(SearchConfig.model_validate({"warm_start": prior}), run)
            assert found is not None
            assert found.tasks == KNOWN.tasks
        assert read_prior(SearchConfig(), run) is None

    def test_one_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(RunError, match="there is no task affinity"):
            read_prior(SearchConfig(prior="affinity"), RunDirectory(tmp_path))

    def test_it_must_be_of_these_tasks_and_units(self) -> None:
        space = space_with(None)
        names = tuple(unit.name for unit in space.units_of("any"))
        fitting = replace(KNOWN, units=names)
        assert with_prior(space, fitting).prior is fitting
        assert with_prior(space, None) is space
        with pytest.raises(RunError, match="is of the units unit0, other"):
            with_prior(space, replace(KNOWN, units=("unit0", "other", "x", "y")))
        with pytest.raises(RunError, match="is of the tasks a, b, c, the run has a, b, d"):
            with_prior(space_with(None, tasks="abd"), fitting)
