"""Every sampler keeps the same laws, and the default is worth having."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import optuna
import pytest
from mtlsearch_search_spaces.layerwise import LayerwiseSettings, LayerwiseSpace
from mtlsearch_search_spaces.skip import SkipSettings, SkipSpace
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.config import SearchConfig
from mtlsearch.plan import SharingPlan, UnitSpec, tree_plans
from mtlsearch.plugin import Candidate, SearchSpace
from mtlsearch.search import CandidateSpace, FunctionEvaluator, search
from mtlsearch.search.samplers._factory import make_sampler
from mtlsearch.search.samplers._gp_sampler import GPSampler
from mtlsearch.search.samplers._observations import Observation
from mtlsearch.search.space._proposal import propose_baseline
from mtlsearch.study import TrialStore

NAMES = get_args(SearchConfig.model_fields["sampler"].annotation)
QUICK = [name for name in NAMES if name != "gp"]  # which takes a second a proposal
TASKS = ("a", "b", "c")


def score(candidate: Candidate) -> dict[str, float]:
    """``a`` and ``b`` want to share four units, ``c`` only the first."""
    plan = candidate.plan
    shared = {
        pair: sum(row[pair[0]] == row[pair[1]] for row in plan.rows)
        for pair in ((0, 1), (0, 2), (1, 2))
    }
    off = {(0, 1): 4, (0, 2): 1, (1, 2): 1}
    lost = {pair: abs(shared[pair] - off[pair]) for pair in shared}
    values = {
        plan.tasks[at]: 20.0 - sum(lost[pair] for pair in lost if at in pair) for at in range(3)
    }
    return values | dict.fromkeys(plan.tasks[3:], 20.0)


def make_space(
    sampler: str,
    tasks: Sequence[str] = TASKS,
    units: int = 6,
    only: object = None,
    **config: object,
) -> CandidateSpace:
    return CandidateSpace.of(
        TreeSpace(TreeSettings(first_shared=1)),
        FunctionEvaluator(score, tasks, units),
        SearchConfig.model_validate({"sampler": sampler, **config}),
        only=only,  # type: ignore[arg-type]
    )


def searched(space: CandidateSpace, trials: int, seed: int = 0) -> list[Candidate]:
    store = TrialStore.in_memory()
    evaluator = FunctionEvaluator(score, space.tasks, space.units_of(""))
    search(space, evaluator, store, trials=trials, seed=seed)
    return [record.candidate for record in store.records()]


@pytest.mark.parametrize("name", QUICK)
def test_a_sampler_exhausts_a_space_without_repeating(name: str) -> None:
    """Three tasks over three units, the first shared: twelve trees and ``independent``."""
    tried = searched(make_space(name, units=3), trials=50)
    plans = {candidate.plan for candidate in tried}
    assert len(tried) == len(plans)
    assert plans == {
        SharingPlan.independent(TASKS, 3),
        *tree_plans(TASKS, 3, first_shared=1),
    }


OTHERS: dict[str, SearchSpace[Any]] = {
    "layerwise": LayerwiseSpace(LayerwiseSettings(first_shared=1)),
    "skip": SkipSpace(SkipSettings()),
}


def other_space(sampler: str, name: str) -> CandidateSpace:
    """Plans that are no trees, over three units."""
    units = [UnitSpec(at, f"unit{at}", 1, 1, 1, 1, skippable=at == 1) for at in range(3)]
    evaluator = FunctionEvaluator(score, TASKS, units)
    config = SearchConfig.model_validate({"sampler": sampler})
    return CandidateSpace.of(OTHERS[name], evaluator, config)


@pytest.mark.parametrize("space", OTHERS)
@pytest.mark.parametrize("name", QUICK)
def test_plans_that_are_no_trees_are_searched_too(name: str, space: str) -> None:
    """Five partitions in each of two units; three tasks that pass by one unit or do not."""
    tried = searched(other_space(name, space), trials=99)
    assert len({candidate.plan for candidate in tried}) == len(tried)
    assert len(tried) == {"layerwise": 25, "skip": 8}[space] + 1  # and ``independent``


@pytest.mark.parametrize("name", QUICK)
def test_the_balance_is_searched_with_the_plan(name: str) -> None:
    space = make_space(name, units=2, balancer=["static", "uw"])
    listed = space.listed()
    assert listed is not None
    assert len(listed) == space.count == 10
    tried = searched(space, trials=50)
    assert len(tried) == 11
    assert {at.digest for at in listed} == {at.digest for at in tried[1:]}


def test_one_balance_for_all_is_ranked() -> None:
    space = make_space("auto", units=2, balancer="uw")
    assert isinstance(make_sampler(space), GPSampler)
    tried = searched(space, trials=50)
    assert [at.balancer for at in tried] == ["static"] * 2 + ["uw"] * 5


@pytest.mark.parametrize("name", QUICK)
def test_only_listed_plans_are_proposed(name: str) -> None:
    allowed = frozenset(list(tree_plans(TASKS, 4, first_shared=1))[::2])
    tried = searched(make_space(name, units=4, only=allowed), trials=50)
    assert {candidate.plan for candidate in tried[2:]} == allowed - {tried[1].plan}


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(name: str) -> None:
    first, again, other = (searched(make_space(name), 10, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", [name for name in NAMES if name != "auto"])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_continuous_is_searched_too(name: str, seed: int) -> None:
    space = make_space(name, loss_weights="search", learning_rate=[0.01, 1.0])
    tried = searched(space, 8, seed)
    assert len({candidate.learning_rate for candidate in tried}) == 7  # the baselines' is one


def tried_by_score(space: CandidateSpace, candidates: Sequence[Candidate]) -> list[Observation]:
    proposals = [propose_baseline(space, baseline) for baseline in ("independent", "hard")]
    reference = score(proposals[0].candidate)
    space_proposals = [*proposals, *(make_proposal(candidate) for candidate in candidates)]
    return [
        Observation(
            proposal,
            proposal.candidate.digest,
            {
                task: 100 * (value / reference[task] - 1)
                for task, value in score(proposal.candidate).items()
            },
        )
        for proposal in space_proposals
    ]


def make_proposal(candidate: Candidate):  # type: ignore[no-untyped-def]
    from mtlsearch.search.space._proposal import Proposal

    return Proposal(candidate)


def test_the_default_ranks_where_plans_can_be_listed() -> None:
    assert isinstance(make_sampler(make_space("auto")), GPSampler)
    for space in (
        make_space("auto", learning_rate=[0.01, 1.0]),
        make_space("auto", loss_weights="search"),
        make_space("auto", tasks=tuple("abcdef")),  # 120,196 plans
        make_space("auto", balancer=["static", "uw"]),
        *(other_space("auto", name) for name in OTHERS),
    ):
        assert not isinstance(make_sampler(space), GPSampler)


def test_the_default_finds_the_best_of_51_plans_soon() -> None:
    """Drawing at random takes 26 trials in the median."""
    best = max(
        tree_plans(TASKS, 6, first_shared=1), key=lambda p: sum(score(Candidate(p)).values())
    )
    needed = []
    for seed in range(5):
        plans = [candidate.plan for candidate in searched(make_space("auto"), 20, seed)]
        needed.append(plans.index(best) if best in plans else 99)
    assert statistics.median(needed) <= 10


def test_failed_candidates_are_not_learnt_from_and_not_repeated() -> None:
    space = make_space("auto")
    sampler = make_sampler(space)
    tried = tried_by_score(space, [])
    for _ in range(8):
        proposal = sampler.propose(tried, seed=0)
        assert proposal is not None
        assert proposal.candidate.digest not in {trial.digest for trial in tried}
        tried.append(Observation(proposal, proposal.candidate.digest, None))


def test_a_sampler_that_was_made_anew_proposes_the_same() -> None:
    """So a search that was stopped goes on as if it had not been."""
    space = make_space("auto")
    rng = np.random.default_rng(0)
    listed = space.listed()
    assert listed is not None
    chosen = [listed[at] for at in rng.permutation(len(listed))[:30]]
    tried = tried_by_score(space, [at for at in chosen if str(at.plan) != "hard"])
    kept = make_sampler(space)
    for count in range(2, len(tried), 3):
        fresh = make_sampler(space).propose(tried[:count], seed=5)
        assert fresh is not None
        assert kept.propose(tried[:count], seed=5) == fresh


def test_generations_follow_trials() -> None:
    """Optuna's NSGA-II must see the trials of a stopped search as bred, or it never breeds."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = make_space("nsga2", tasks=tuple("abcd"))
    listed = space.listed()
    assert listed is not None
    good = [at for at in listed if score(at)["a"] + score(at)["b"] >= 36][:32]
    sampler = make_sampler(space)
    from mtlsearch.search.space._proposal import proposal_of

    tried = [
        Observation(proposal_of(space, at), at.digest, dict.fromkeys(space.tasks, 1.0))
        for at in good
    ]
    deep = [at.plan.rows[2][0] == at.plan.rows[2][1] for at in good]
    proposals = [sampler.propose(tried, seed=seed) for seed in range(12)]
    kept = [p.candidate.plan.rows[2][0] == p.candidate.plan.rows[2][1] for p in proposals if p]
    assert all(deep)
    assert sum(kept) >= 8
