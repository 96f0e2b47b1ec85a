"""Balancers as a searched dimension."""

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
from mtlsearch.testing import RandomSuggest
from mtlsearch.training import ProcessGroup
from tests.search.synthetic import Formula, space_for, units


def proposals(seeds: int = 60, **config: object) -> list[Candidate]:
    space = space_for(Formula(), **config)
    return [space.propose(RandomSuggest(seed)) for seed in range(seeds)]


def shares(candidate: Candidate) -> bool:
    plan = candidate.plan
    return any(len(group) > 1 for unit in range(len(plan.rows)) for group in plan.groups(unit))


def test_default_balancer_is_static() -> None:
    assert {candidate.balancer for candidate in proposals()} == {STATIC}


def test_single_balancer_applies_to_plans_that_share() -> None:
    for candidate in proposals(balancer="uw"):
        assert candidate.balancer == ("uw" if shares(candidate) else STATIC)


def test_each_of_several_balancers_is_proposed() -> None:
    candidates = proposals(balancer=["uw", {"kind": "cagrad", "c": 0.2}])
    assert {candidate.balancer for candidate in candidates} == {"uw", "cagrad", STATIC}


def test_baselines_are_static_with_equal_weights() -> None:
    space = space_for(Formula(), balancer=["uw", "famo"], loss_weights="search")
    for name in ("independent", "hard"):
        baseline = space.baseline_candidate(name)
        assert baseline.balancer == STATIC
        assert set(baseline.loss_weights.values()) == {1.0}


def test_weights_are_searched_for_static_only() -> None:
    """Other balancers compute weights; searched weights would be noise to the sampler."""
    for candidate in proposals(balancer=[STATIC, "uw"], loss_weights="search"):
        equal = set(candidate.loss_weights.values()) == {1.0}
        assert equal == (candidate.balancer != STATIC)


@pytest.mark.parametrize(
    ("balancer", "loss_weights"),
    list(product(["static", "uw", ["static", "uw"], ["uw", "famo"]], ["equal", "search"])),
)
def test_encode_inverts_propose(balancer: object, loss_weights: str) -> None:
    space = space_for(Formula(), balancer=balancer, loss_weights=loss_weights)
    proposed = [space.propose(RandomSuggest(seed)) for seed in range(30)]
    for candidate in [
        *proposed,
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
"""Search spaces of other plans than trees."""


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("balancer", ["uw", ["static", "uw"], ["uw", "famo"]])
def test_other_plans_than_trees_have_a_balancer(name: str, balancer: object) -> None:
    """In a unit that all other tasks skip, a task shares nothing."""
    specs = [replace(unit, skippable=name == "skip" and unit.index > 0) for unit in units(2)]
    space = replace(
        space_for(Formula(), balancer=balancer), space=OTHERS[name], units_of=lambda _: specs
    )
    digests = set()
    for seed in range(400):
        candidate = space.propose(RandomSuggest(seed))
        digests.add(candidate.digest)
        if not shares(candidate):
            assert candidate.balancer == STATIC
        elif balancer == "uw":
            assert candidate.balancer == "uw"
        params = space.encode(candidate)
        assert params is not None
        assert space.propose(FixedTrial(params)) == candidate
    assert space.size == len(digests)


def test_independent_plan_has_params_for_static_only() -> None:
    space = space_for(Formula(), balancer=["static", "uw"])
    independent = space.baseline_candidate("independent")
    assert space.encode(independent) is not None
    assert space.encode(replace(independent, balancer="uw")) is None


def test_balancer_of_the_search_space_remains() -> None:
    class Choosy(TreeSpace):
        def propose(self, suggest: Any, units: Any, tasks: Any) -> Candidate:
            return Candidate(SharingPlan.hard(tasks, len(units)), balancer="mgda")

    plain = space_for(Formula(), balancer=["static", "uw"], loss_weights="search")
    suggest = RandomSuggest(0)
    candidate = replace(plain, space=Choosy(TreeSettings())).propose(suggest)
    assert candidate.balancer == "mgda"
    assert set((candidate.loss_weights or {}).values()) == {1.0}
    assert not suggest.params


RUN = {
    "data": {"sources": {"kind": "scenes"}, "image_size": 32},
    "backbone": {"name": "test_resnet", "pretrained": False},
    "tasks": {"a": {"kind": "classification", "label": "scene"}},
    "search": {"space": "tree", "balancer": ["static", "mgda"]},
}


@pytest.mark.parametrize("changes", [{"accumulation_steps": 2}, {"compile": True}])
def test_incompatible_balancer_is_refused_before_reading(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = RunConfig.model_validate({**RUN, "train": changes})
    with pytest.raises(TrainingError, match="balancer 'mgda'") as error:
        open_session(
            build_registry().resolve(LoadedRun(config)),
            RunDirectory(tmp_path),
            device=torch.device("cpu"),
            progress=NullProgress(),
        )
    assert error.value.where == "search.balancer"
    assert next(iter(changes)) in str(error.value)


def test_incompatible_balancer_and_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="spreads them over processes"):
        open_session(
            build_registry().resolve(LoadedRun(RunConfig.model_validate(RUN))),
            RunDirectory(tmp_path),
            device=torch.device("cpu"),
            progress=NullProgress(),
            process_group=ProcessGroup(0, 2),
        )


def test_size_counts_equal_candidates_once() -> None:
    """The independent plan is one candidate for all balancers."""
    for names in (["static"], ["uw", "famo"], ["static", "uw", "famo"]):
        evaluator = Formula(tasks=("a", "b"), count=3)
        space = space_for(evaluator, balancer=names)
        digests = {space.propose(RandomSuggest(seed)).digest for seed in range(400)}
        assert space.size == len(digests)
