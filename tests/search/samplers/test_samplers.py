"""Properties of all samplers, and the efficiency of the default."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from mtlsearch_search_spaces.layerwise import LayerwiseSettings, LayerwiseSpace
from mtlsearch_search_spaces.skip import SkipSettings, SkipSpace
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.config import SAMPLER_NAMES, SearchConfig
from mtlsearch.plan import SharingPlan, UnitSpec, tree_plans
from mtlsearch.plugin import Candidate, SearchSpace
from mtlsearch.search import (
    CandidateSpace,
    FunctionEvaluator,
    Proposal,
    build_candidate_space,
    search,
)
from mtlsearch.search.samplers import Observation, Sampler, make_sampler
from mtlsearch.search.samplers._factory import SAMPLER_FACTORIES
from mtlsearch.search.samplers._optuna import OptunaSampler
from mtlsearch.search.samplers._sharing_gp import SharingGPSampler
from mtlsearch.search.space import proposal_of, propose_baseline
from mtlsearch.study import TrialStore
from tests.search.synthetic import QUICK_SAMPLERS

PAGE = Path(__file__).parents[3] / "docs" / "search.md"
TASKS = ("a", "b", "c")


def score(candidate: Candidate) -> dict[str, float]:
    """Return scores that are best if a and b share four units, and c the first one only."""
    plan = candidate.plan
    shared = {
        pair: sum(row[pair[0]] == row[pair[1]] for row in plan.rows)
        for pair in ((0, 1), (0, 2), (1, 2))
    }
    best = {(0, 1): 4, (0, 2): 1, (1, 2): 1}
    loss = {pair: abs(shared[pair] - best[pair]) for pair in shared}
    values = {
        plan.tasks[index]: 20.0 - sum(loss[pair] for pair in loss if index in pair)
        for index in range(3)
    }
    return values | dict.fromkeys(plan.tasks[3:], 20.0)


def make_space(
    sampler: str,
    tasks: Sequence[str] = TASKS,
    units: int = 6,
    allowed_plans: object = None,
    **config: object,
) -> CandidateSpace:
    return build_candidate_space(
        TreeSpace(TreeSettings(first_shared=1)),
        FunctionEvaluator(score, tasks, units),
        SearchConfig.model_validate({"sampler": sampler, "stop_when_settled": False, **config}),
        allowed_plans=allowed_plans,  # type: ignore[arg-type]
    )


def searched(space: CandidateSpace, trials: int, seed: int = 0) -> list[Candidate]:
    store = TrialStore.in_memory()
    evaluator = FunctionEvaluator(score, space.tasks, space.units_of(""))
    search(space, evaluator, store, trials=trials, seed=seed)
    return [record.candidate for record in store.records()]


def test_every_sampler_name_has_a_factory() -> None:
    assert tuple(SAMPLER_FACTORIES) == SAMPLER_NAMES


def test_each_sampler_name_creates_a_different_sampler() -> None:
    kinds = {name: kind_of(make_sampler(make_space(name))) for name in SAMPLER_NAMES}
    assert len(set(kinds.values())) == len(SAMPLER_NAMES), kinds


def kind_of(sampler: Sampler) -> tuple[type, ...]:
    """Return the class of a sampler, with that of the Optuna sampler inside."""
    if isinstance(sampler, OptunaSampler):
        return type(sampler), type(sampler._make(0))
    return (type(sampler),)


def test_every_sampler_has_a_row_in_the_page() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section_of(PAGE, "## Samplers"), re.MULTILINE)
    assert tuple(rows) == SAMPLER_NAMES


def section_of(page: Path, heading: str) -> str:
    """Return the text of a section, up to the next heading of the same level."""
    return page.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", QUICK_SAMPLERS)
def test_sampler_exhausts_a_space_without_duplicates(name: str) -> None:
    """Three tasks over three units, the first shared: twelve trees and ``independent``."""
    candidates = searched(make_space(name, units=3), trials=50)
    plans = {candidate.plan for candidate in candidates}
    assert len(candidates) == len(plans)
    assert plans == {
        SharingPlan.independent(TASKS, 3),
        *tree_plans(TASKS, 3, first_shared=1),
    }


OTHERS: dict[str, SearchSpace[Any]] = {
    "layerwise": LayerwiseSpace(LayerwiseSettings(first_shared=1)),
    "skip": SkipSpace(SkipSettings()),
}


def other_space(sampler: str, name: str) -> CandidateSpace:
    """Return a space of other plans than trees, over three units."""
    units = [
        UnitSpec(index, f"unit{index}", 1, 1, 1, 1, skippable=index == 1) for index in range(3)
    ]
    evaluator = FunctionEvaluator(score, TASKS, units)
    config = SearchConfig.model_validate({"sampler": sampler, "stop_when_settled": False})
    return build_candidate_space(OTHERS[name], evaluator, config)


@pytest.mark.parametrize("space", OTHERS)
@pytest.mark.parametrize("name", QUICK_SAMPLERS)
def test_other_plans_than_trees_are_searched(name: str, space: str) -> None:
    """Five partitions in each of two units; three tasks that skip one unit or use it."""
    candidates = searched(other_space(name, space), trials=99)
    assert len({candidate.plan for candidate in candidates}) == len(candidates)
    assert len(candidates) == {"layerwise": 25, "skip": 8}[space] + 1  # and ``independent``


@pytest.mark.parametrize("name", QUICK_SAMPLERS)
def test_balancer_is_searched_with_the_plan(name: str) -> None:
    space = make_space(name, units=2, balancer=["static", "uw"])
    enumerated = space.enumerate()
    assert enumerated is not None
    assert len(enumerated) == space.size == 10
    candidates = searched(space, trials=50)
    assert len(candidates) == 11
    digests = {candidate.digest for candidate in candidates[1:]}
    assert {candidate.digest for candidate in enumerated} == digests


def test_sharing_gp_supports_a_single_balancer() -> None:
    space = make_space("auto", units=2, balancer="uw")
    assert isinstance(make_sampler(space), SharingGPSampler)
    candidates = searched(space, trials=50)
    assert [candidate.balancer for candidate in candidates] == ["static"] * 2 + ["uw"] * 5


@pytest.mark.parametrize("name", QUICK_SAMPLERS)
def test_only_allowed_plans_are_proposed(name: str) -> None:
    allowed = frozenset(list(tree_plans(TASKS, 4, first_shared=1))[::2])
    candidates = searched(make_space(name, units=4, allowed_plans=allowed), trials=50)
    assert {candidate.plan for candidate in candidates[2:]} == allowed - {candidates[1].plan}


@pytest.mark.parametrize("name", SAMPLER_NAMES)
def test_seed_defines_the_search(name: str) -> None:
    first, again, other = (searched(make_space(name), 10, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", [name for name in SAMPLER_NAMES if name != "auto"])
@pytest.mark.parametrize("seed", [0, 1])
def test_continuous_dimensions_are_searched(name: str, seed: int) -> None:
    space = make_space(name, loss_weights="search", learning_rate=[0.01, 1.0])
    candidates = searched(space, 8, seed)
    # Both baselines have the same learning rate.
    assert len({candidate.learning_rate for candidate in candidates}) == 7


def observe(space: CandidateSpace, candidates: Sequence[Candidate]) -> list[Observation]:
    proposals = [propose_baseline(space, baseline) for baseline in ("independent", "hard")]
    reference = score(proposals[0].candidate)
    proposals += [Proposal(candidate) for candidate in candidates]
    return [
        Observation(
            proposal,
            proposal.candidate.digest,
            {
                task: 100 * (value / reference[task] - 1)
                for task, value in score(proposal.candidate).items()
            },
        )
        for proposal in proposals
    ]


def test_default_is_the_sharing_gp_for_enumerable_trees() -> None:
    assert isinstance(make_sampler(make_space("auto")), SharingGPSampler)
    for space in (
        make_space("auto", learning_rate=[0.01, 1.0]),
        make_space("auto", loss_weights="search"),
        make_space("auto", tasks=tuple("abcdef")),  # 120,196 plans
        make_space("auto", balancer=["static", "uw"]),
        *(other_space("auto", name) for name in OTHERS),
    ):
        assert not isinstance(make_sampler(space), SharingGPSampler)


def test_default_finds_the_best_of_51_plans_early() -> None:
    """The random sampler needs 26 trials in the median."""
    best = max(
        tree_plans(TASKS, 6, first_shared=1), key=lambda p: sum(score(Candidate(p)).values())
    )
    needed = []
    for seed in range(5):
        plans = [candidate.plan for candidate in searched(make_space("auto"), 20, seed)]
        needed.append(plans.index(best) if best in plans else 99)
    assert statistics.median(needed) <= 10


def test_failed_candidates_are_not_repeated() -> None:
    space = make_space("auto")
    sampler = make_sampler(space)
    observations = observe(space, [])
    for _ in range(8):
        proposal = sampler.propose(observations, seed=0)
        assert proposal is not None
        digests = {observation.digest for observation in observations}
        assert proposal.candidate.digest not in digests
        observations.append(Observation(proposal, proposal.candidate.digest, None))


def test_new_sampler_proposes_the_same_candidate() -> None:
    """An interrupted search resumes identically."""
    space = make_space("auto")
    rng = np.random.default_rng(0)
    enumerated = space.enumerate()
    assert enumerated is not None
    chosen = [enumerated[index] for index in rng.permutation(len(enumerated))[:30]]
    observations = observe(
        space, [candidate for candidate in chosen if str(candidate.plan) != "hard"]
    )
    kept = make_sampler(space)
    for count in range(2, len(observations), 3):
        fresh = make_sampler(space).propose(observations[:count], seed=5)
        assert fresh is not None
        assert kept.propose(observations[:count], seed=5) == fresh


def test_nsga2_uses_observations_as_generations() -> None:
    """Without their generations, Optuna's NSGA-II samples at random."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = make_space("nsga2", tasks=tuple("abcd"))
    enumerated = space.enumerate()
    assert enumerated is not None
    scores = {candidate.digest: score(candidate) for candidate in enumerated}
    good = [
        candidate
        for candidate in enumerated
        if scores[candidate.digest]["a"] + scores[candidate.digest]["b"] >= 36
    ][:32]
    sampler = make_sampler(space)
    observations = [
        Observation(
            proposal_of(space, candidate), candidate.digest, dict.fromkeys(space.tasks, 1.0)
        )
        for candidate in good
    ]
    proposals = [sampler.propose(observations, seed=seed) for seed in range(12)]
    assert all(shares_third_unit(candidate.plan) for candidate in good)
    assert sum(shares_third_unit(item.candidate.plan) for item in proposals if item) >= 8


def shares_third_unit(plan: SharingPlan) -> bool:
    """Return whether the first two tasks share the third unit."""
    return plan.rows[2][0] == plan.rows[2][1]
