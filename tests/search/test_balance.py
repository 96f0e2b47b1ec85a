"""The balance is one more thing that is proposed."""

from __future__ import annotations

from itertools import product

import pytest
from optuna.trial import FixedTrial

from mtlsearch.plugin import STATIC, Candidate
from mtlsearch.testing import RandomChoices
from tests.search.synthetic import Formula, space_for


def proposals(seeds: int = 60, **config: object) -> list[Candidate]:
    space = space_for(Formula(), **config)
    return [space.propose(RandomChoices(seed)) for seed in range(seeds)]


def shares(candidate: Candidate) -> bool:
    return min(candidate.plan.copies) < len(candidate.plan.tasks)


def test_by_default_all_is_static() -> None:
    assert {at.balance for at in proposals()} == {STATIC}


def test_one_name_is_the_balance_of_all_that_share() -> None:
    for candidate in proposals(balance="uw"):
        assert candidate.balance == ("uw" if shares(candidate) else STATIC)


def test_of_several_names_one_is_proposed() -> None:
    found = {at.balance for at in proposals(balance=["uw", {"kind": "cagrad", "c": 0.2}])}
    assert found == {"uw", "cagrad", STATIC}


def test_baselines_are_static_with_equal_weights_whatever_is_searched() -> None:
    space = space_for(Formula(), balance=["uw", "famo"], loss_weights="search")
    for role in ("independent", "hard"):
        baseline = space.baseline(role)
        assert baseline.balance == STATIC
        assert set(baseline.loss_weights.values()) == {1.0}


def test_weights_are_searched_for_static_alone() -> None:
    """An adaptive method sets them itself; searched numbers would be noise to the sampler."""
    for candidate in proposals(balance=[STATIC, "uw"], loss_weights="search"):
        equal = set(candidate.loss_weights.values()) == {1.0}
        assert equal == (candidate.balance != STATIC)


@pytest.mark.parametrize(
    ("balance", "loss_weights"),
    list(product(["static", "uw", ["static", "uw"], ["uw", "famo"]], ["equal", "search"])),
)
def test_encoding_comes_back(balance: object, loss_weights: str) -> None:
    space = space_for(Formula(), balance=balance, loss_weights=loss_weights)
    given = [space.propose(RandomChoices(seed)) for seed in range(30)]
    for candidate in [*given, space.baseline("hard"), space.baseline("independent")]:
        answers = space.encode(candidate)
        if answers is None:
            assert candidate.balance == STATIC not in (balance, *balance)
            continue
        again = space.propose(FixedTrial(answers))
        assert again.plan == candidate.plan
        assert again.balance == candidate.balance
        assert dict(again.loss_weights) == pytest.approx(dict(candidate.loss_weights))


def test_the_count_is_that_of_different_candidates() -> None:
    """A plan that shares nothing is one candidate, whatever the balance."""
    for names in (["static"], ["uw", "famo"], ["static", "uw", "famo"]):
        evaluator = Formula(tasks=("a", "b"), count=3)
        space = space_for(evaluator, balance=names)
        found = {space.propose(RandomChoices(seed)).digest for seed in range(400)}
        assert space.count == len(found)
