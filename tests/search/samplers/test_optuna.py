"""Optuna samplers that answer: new candidates, decided by the seed, none where none is left."""

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
from mtlsearch.search.samplers._factory import make_sampler
from mtlsearch.search.samplers._observations import Observation
from mtlsearch.search.space._proposal import Proposal
from tests.search.synthetic import Formula, space_for, with_space

optuna.logging.set_verbosity(optuna.logging.WARNING)


def tried(digest: str, value: float | None) -> Observation:
    """Something that was tried and whose parameters are not known."""
    nothing = Proposal(Candidate(SharingPlan.hard("abc", 4)))
    return Observation(nothing, digest, None if value is None else {"a": value})


def propose(
    space: CandidateSpace, measured: Mapping[str, float | None], *, seed: int
) -> Proposal | None:
    known = [tried(digest, value) for digest, value in measured.items()]
    return make_sampler(space).propose(known, seed=seed)


class Stubborn(SearchSpace[Settings]):
    """Proposes one and the same plan whatever is answered, unless a rare answer comes."""

    name = "stubborn"
    summary = "nearly always the same plan"

    def propose(self, suggest: Suggest, units: Any, tasks: Any) -> Candidate:
        rare = suggest.suggest_int("number", 0, 30) == 17
        make = SharingPlan.independent if rare else SharingPlan.hard
        return Candidate(make(tasks, len(units)))


def test_a_small_space_is_proposed_whole_and_then_nothing() -> None:
    formula = Formula(tasks=("a", "b", "c"), count=2)
    space = space_for(formula, sampler="tpe")
    everything = {space.baseline_candidate("hard").digest: 1.0}
    while (proposal := propose(space, everything, seed=3)) is not None:
        assert proposal.candidate.digest not in everything
        everything[proposal.candidate.digest] = 0.0
    assert len(everything) == space.count == len(list(tree_plans(formula.tasks, 2)))


def test_measured_ones_are_passed_over_however_often_they_come() -> None:
    space = with_space(Stubborn(Settings()), sampler="tpe")
    hard = space.baseline_candidate("hard").digest
    for seed in range(3):
        proposal = propose(space, {hard: 5.0}, seed=seed)
        assert proposal is not None
        assert str(proposal.candidate.plan) == "independent"
        assert proposal.params == {"number": 17}


@pytest.mark.parametrize("value", [5.0, None], ids=["measured", "failed"])
def test_one_plan_and_it_was_measured(value: float | None) -> None:
    space = with_space(HardSpace(Settings()), sampler="tpe")
    measured = {space.baseline_candidate("hard").digest: value}
    assert propose(space, measured, seed=0) is None
    first = propose(space, {}, seed=0)
    assert first is not None
    assert first.candidate.digest in measured


def test_of_one_plan_there_are_many_loss_weights() -> None:
    space = with_space(HardSpace(Settings()), sampler="tpe", loss_weights="search")
    measured = {space.baseline_candidate("hard").digest: 0.0}
    proposal = propose(space, measured, seed=0)
    assert proposal is not None
    assert str(proposal.candidate.plan) == "hard"


def test_the_seed_decides() -> None:
    space = space_for(Formula(), sampler="tpe", loss_weights="search", learning_rate=[0.01, 1.0])
    first, again = propose(space, {}, seed=1), propose(space, {}, seed=1)
    other = propose(space, {}, seed=2)
    assert first is not None
    assert again is not None
    assert other is not None
    assert first == again
    assert first.candidate != other.candidate


def test_how_much_was_measured_decides_too() -> None:
    """So a continued search does not draw its first number again."""
    space = space_for(Formula(), sampler="tpe", learning_rate=[0.01, 1.0])
    first, second = propose(space, {}, seed=1), propose(space, {"other": 0.0}, seed=1)
    assert first is not None
    assert second is not None
    assert first.candidate != second.candidate


def test_the_sampler_learns_from_trials_and_not_from_failed_ones() -> None:
    """Of many places one is far better; once it is known, draws gather around it."""

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

    def drawn(failed: bool) -> list[int]:
        trials = [trial(place, failed) for place in range(0, 401, 20)]
        proposals = [sampler.propose(trials, seed=seed) for seed in range(12)]
        return [at.params["place"] for at in proposals if at is not None]

    near = [abs(place - 300) <= 60 for place in drawn(failed=False)]
    unguided = [abs(place - 300) <= 60 for place in drawn(failed=True)]
    assert sum(near) >= 9
    assert sum(unguided) <= 7
