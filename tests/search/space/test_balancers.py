"""The balance is one more thing that is proposed."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from mtlsearch_search_spaces.layerwise import LayerwiseSettings, LayerwiseSpace
from mtlsearch_search_spaces.skip import SkipSettings, SkipSpace
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace
from optuna.trial import FixedTrial

from mtlsearch.config import LoadedRun, RunConfig
from mtlsearch.errors import TrainingError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import STATIC, Candidate
from mtlsearch.registry import build_registry
from mtlsearch.runs import open_session
from mtlsearch.search import NullProgress
from mtlsearch.study import RunDirectory
from mtlsearch.testing import RandomChoices
from mtlsearch.training import ProcessGroup
from tests.search.synthetic import Formula, space_for, units


def proposals(seeds: int = 60, **config: object) -> list[Candidate]:
    space = space_for(Formula(), **config)
    return [space.propose(RandomChoices(seed)) for seed in range(seeds)]


def shares(candidate: Candidate) -> bool:
    plan = candidate.plan
    return any(len(group) > 1 for unit in range(len(plan.rows)) for group in plan.groups(unit))


def test_by_default_all_is_static() -> None:
    assert {at.balancer for at in proposals()} == {STATIC}


def test_one_name_is_the_balance_of_all_that_share() -> None:
    for candidate in proposals(balancer="uw"):
        assert candidate.balancer == ("uw" if shares(candidate) else STATIC)


def test_of_several_names_one_is_proposed() -> None:
    found = {at.balancer for at in proposals(balancer=["uw", {"kind": "cagrad", "c": 0.2}])}
    assert found == {"uw", "cagrad", STATIC}


def test_baselines_are_static_with_equal_weights_whatever_is_searched() -> None:
    space = space_for(Formula(), balancer=["uw", "famo"], loss_weights="search")
    for baseline in ("independent", "hard"):
        baseline = space.baseline_candidate(baseline)
        assert baseline.balancer == STATIC
        assert set(baseline.loss_weights.values()) == {1.0}


def test_weights_are_searched_for_static_alone() -> None:
    """An adaptive method sets them itself; searched numbers would be noise to the sampler."""
    for candidate in proposals(balancer=[STATIC, "uw"], loss_weights="search"):
        equal = set(candidate.loss_weights.values()) == {1.0}
        assert equal == (candidate.balancer != STATIC)


@pytest.mark.parametrize(
    ("balancer", "loss_weights"),
    list(product(["static", "uw", ["static", "uw"], ["uw", "famo"]], ["equal", "search"])),
)
def test_encoding_comes_back(balancer: object, loss_weights: str) -> None:
    space = space_for(Formula(), balancer=balancer, loss_weights=loss_weights)
    given = [space.propose(RandomChoices(seed)) for seed in range(30)]
    for candidate in [
        *given,
        space.baseline_candidate("hard"),
        space.baseline_candidate("independent"),
    ]:
        params = space.encode(candidate)
        if params is None:
            assert candidate.balancer == STATIC not in (balancer, *balancer)
            continue
        again = space.propose(FixedTrial(params))
        assert again.plan == candidate.plan
        assert again.balancer == candidate.balancer
        assert dict(again.loss_weights) == pytest.approx(dict(candidate.loss_weights))


OTHERS = {
    "layerwise": LayerwiseSpace(LayerwiseSettings()),
    "skip": SkipSpace(SkipSettings()),
}
"""Spaces of plans that are no trees."""


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("balancer", ["uw", ["static", "uw"], ["uw", "famo"]])
def test_plans_that_are_no_trees_are_balanced_as_well(name: str, balancer: object) -> None:
    """In a unit that all but one task pass by, that one shares nothing."""
    one, two = (replace(at, skippable=name == "skip" and at.index > 0) for at in units(2))
    space = replace(
        space_for(Formula(), balancer=balancer), space=OTHERS[name], units_of=lambda _: [one, two]
    )
    found = {}
    for seed in range(400):
        candidate = space.propose(RandomChoices(seed))
        found[candidate.digest] = candidate
        if not shares(candidate):
            assert candidate.balancer == STATIC
        elif balancer == "uw":
            assert candidate.balancer == "uw"
        params = space.encode(candidate)
        assert params is not None
        assert space.propose(FixedTrial(params)) == candidate
    assert space.count == len(found)


def test_what_shares_nothing_has_no_balance_to_encode() -> None:
    space = space_for(Formula(), balancer=["static", "uw"])
    alone = space.baseline_candidate("independent")
    assert space.encode(alone) is not None
    assert space.encode(replace(alone, balancer="uw")) is None


def test_the_balance_that_a_space_chooses_stays() -> None:
    class Choosy(TreeSpace):
        def propose(self, suggest: Any, units: Any, tasks: Any) -> Candidate:
            return Candidate(SharingPlan.hard(tasks, len(units)), balancer="mgda")

    plain = space_for(Formula(), balancer=["static", "uw"], loss_weights="search")
    suggest = RandomChoices(0)
    candidate = replace(plain, space=Choosy(TreeSettings())).propose(suggest)
    assert candidate.balancer == "mgda"
    assert set((candidate.loss_weights or {}).values()) == {1.0}
    assert not suggest.asked


RUN = {
    "data": {"sources": {"kind": "scenes"}, "image_size": 32},
    "backbone": {"name": "test_resnet", "pretrained": False},
    "tasks": {"a": {"kind": "classification", "label": "scene"}},
    "search": {"space": "tree", "balancer": ["static", "mgda"]},
}


@pytest.mark.parametrize("changes", [{"accumulation_steps": 2}, {"compile": True}])
def test_a_run_that_cannot_be_trained_so_is_refused_before_data_is_read(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = RunConfig.model_validate({**RUN, "train": changes})
    with pytest.raises(TrainingError, match="balance 'mgda'") as error:
        open_session(
            build_registry().resolve(LoadedRun(config)),
            RunDirectory(tmp_path),
            device=torch.device("cpu"),
            progress=NullProgress(),
        )
    assert error.value.where == "search.balancer"
    assert next(iter(changes)) in str(error.value)


def test_several_processes_want_whole_batches(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="spreads them over processes"):
        open_session(
            build_registry().resolve(LoadedRun(RunConfig.model_validate(RUN))),
            RunDirectory(tmp_path),
            device=torch.device("cpu"),
            progress=NullProgress(),
            ranks=ProcessGroup(0, 2),
        )


def test_the_count_is_that_of_different_candidates() -> None:
    """A plan that shares nothing is one candidate, whatever the balance."""
    for names in (["static"], ["uw", "famo"], ["static", "uw", "famo"]):
        evaluator = Formula(tasks=("a", "b"), count=3)
        space = space_for(evaluator, balancer=names)
        found = {space.propose(RandomChoices(seed)).digest for seed in range(400)}
        assert space.count == len(found)
