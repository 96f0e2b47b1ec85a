"""Adapter for Optuna's samplers: new candidates, defined by the seed, until none is left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
import pytest
from mtlsearch_search_spaces.hard import HardSpace
from optuna.distributions import IntDistribution

from mtlsearch.plan import SharingPlan, tree_plans
from mtlsearch.plugin import Candidate, SearchSpace, Settings, Suggest
from mtlsearch.search import CandidateSpace
from mtlsearch.search.samplers import Observation, make_sampler
from mtlsearch.search.samplers._optuna import OptunaSampler
from mtlsearch.search.space import Proposal
from tests.search.synthetic import Formula, space_for, with_space

optuna.logging.set_verbosity(optuna.logging.WARNING)


def observation(digest: str, value: float | None) -> Observation:
    """Return an observation without params."""
    proposal = Proposal(Candidate(SharingPlan.hard("abc", 4)))
    return Observation(proposal, digest, None if value is None else {"a": value})


def propose(
    space: CandidateSpace, measured: Mapping[str, float | None], *, seed: int
) -> Proposal | None:
    observations = [observation(digest, value) for digest, value in measured.items()]
    return make_sampler(space).propose(observations, seed=seed)


class Stubborn(SearchSpace[Settings]):
    """Search space that proposes the hard plan for all but one value of its param."""

    name = "stubborn"
    summary = "nearly always the same plan"

    def propose(self, suggest: Suggest, units: Any, tasks: Any) -> Candidate:
        rare = suggest.suggest_int("number", 0, 30) == 17
        make = SharingPlan.independent if rare else SharingPlan.hard
        return Candidate(make(tasks, len(units)))


def test_small_space_is_proposed_completely() -> None:
    formula = Formula(tasks=("a", "b", "c"), count=2)
    space = space_for(formula, sampler="tpe")
    everything = {space.baseline_candidate("hard").digest: 1.0}
    while (proposal := propose(space, everything, seed=3)) is not None:
        assert proposal.candidate.digest not in everything
        everything[proposal.candidate.digest] = 0.0
    assert len(everything) == space.size == len(list(tree_plans(formula.tasks, 2)))


def test_duplicates_are_skipped() -> None:
    space = with_space(Stubborn(Settings()), sampler="tpe")
    hard = space.baseline_candidate("hard").digest
    for seed in range(3):
        proposal = propose(space, {hard: 5.0}, seed=seed)
        assert proposal is not None
        assert str(proposal.candidate.plan) == "independent"
        assert proposal.params == {"number": 17}


@pytest.mark.parametrize("value", [5.0, None], ids=["measured", "failed"])
def test_single_measured_plan_exhausts_the_space(value: float | None) -> None:
    space = with_space(HardSpace(Settings()), sampler="tpe")
    measured = {space.baseline_candidate("hard").digest: value}
    assert propose(space, measured, seed=0) is None
    first = propose(space, {}, seed=0)
    assert first is not None
    assert first.candidate.digest in measured


def test_single_plan_has_many_loss_weights() -> None:
    space = with_space(HardSpace(Settings()), sampler="tpe", loss_weights="search")
    measured = {space.baseline_candidate("hard").digest: 0.0}
    proposal = propose(space, measured, seed=0)
    assert proposal is not None
    assert str(proposal.candidate.plan) == "hard"


def test_seed_defines_the_proposal() -> None:
    space = space_for(Formula(), sampler="tpe", loss_weights="search", learning_rate=[0.01, 1.0])
    first, again = propose(space, {}, seed=1), propose(space, {}, seed=1)
    other = propose(space, {}, seed=2)
    assert first is not None
    assert again is not None
    assert other is not None
    assert first == again
    assert first.candidate != other.candidate


def test_number_of_observations_changes_the_proposal() -> None:
    """A resumed search does not draw its first random number again."""
    space = space_for(Formula(), sampler="tpe", learning_rate=[0.01, 1.0])
    first, second = propose(space, {}, seed=1), propose(space, {"other": 0.0}, seed=1)
    assert first is not None
    assert second is not None
    assert first.candidate != second.candidate


def test_sampler_uses_values_of_trials_that_did_not_fail() -> None:
    """One of many places is best. Observations concentrate the proposals around it."""

    class Line(SearchSpace[Settings]):
        name = "line"
        summary = "a place on a line"

        def propose(self, suggest: Suggest, units: Any, tasks: Any) -> Candidate:
            place = suggest.suggest_int("place", 0, 400)
            return Candidate(SharingPlan.hard(tasks, len(units)), dict.fromkeys(tasks, 1 + place))

    def trial(place: int, failed: bool) -> Observation:
        plan = SharingPlan.hard("abc", 4)
        proposal = Proposal(Candidate(plan), {"place": place}, {"place": IntDistribution(0, 400)})
        return Observation(proposal, str(place), None if failed else {"a": -abs(place - 300)})

    sampler = make_sampler(with_space(Line(Settings()), sampler="tpe"))

    def proposed(failed: bool) -> list[int]:
        trials = [trial(place, failed) for place in range(0, 401, 20)]
        proposals = [sampler.propose(trials, seed=seed) for seed in range(12)]
        return [proposal.params["place"] for proposal in proposals if proposal is not None]

    near = [abs(place - 300) <= 60 for place in proposed(failed=False)]
    unguided = [abs(place - 300) <= 60 for place in proposed(failed=True)]
    assert sum(near) >= 9
    assert sum(unguided) <= 7


def test_generation_attribute_is_the_one_that_optuna_reads() -> None:
    """``_get_generation_key`` is private to Optuna, which may rename it."""
    space = space_for(Formula(), sampler="nsga2")
    sampler = optuna.samplers.NSGAIISampler(seed=0, population_size=2)
    adapter = OptunaSampler(space, lambda seed: sampler, population_size=2)
    study = optuna.create_study(sampler=sampler)
    for index in range(4):
        study.add_trial(
            optuna.trial.create_trial(
                value=float(index), system_attrs=adapter._generation_attrs(sampler, index)
            )
        )
    assert [sampler.get_trial_generation(study, trial) for trial in study.trials] == [0, 0, 1, 1]
    assert [trial.number for trial in sampler.get_population(study, 1)] == [2, 3]
    plain = optuna.samplers.TPESampler(seed=0)
    assert adapter._generation_attrs(plain, 0) == {}
