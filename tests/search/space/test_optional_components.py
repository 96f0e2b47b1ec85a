"""Distillation and attention as searched dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from mtlsearch_search_spaces.layerwise import LayerwiseSettings, LayerwiseSpace
from mtlsearch_search_spaces.tree import TreeSpace
from optuna.trial import FixedTrial

from mtlsearch.config import LoadedRun, RunConfig
from mtlsearch.errors import ConfigError, TrainingError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, Distillation
from mtlsearch.registry import build_registry
from mtlsearch.runs import open_session
from mtlsearch.search import CandidateSpace, NullProgress, search
from mtlsearch.search.samplers import make_sampler
from mtlsearch.search.samplers._optuna import OptunaSampler
from mtlsearch.search.samplers._sharing_gp import SharingGPSampler
from mtlsearch.study import RunDirectory, TrialStore
from mtlsearch.testing import RandomSuggest
from tests.search.synthetic import Formula, space_for, units

DISTILLATION: list[Any] = [
    "none",
    "baseline",
    {"kind": "mutual", "alpha": 0.5},
    ["mutual"],
    ["baseline", {"kind": "mutual", "alpha": 0.5}],
]
ATTENTION: list[Any] = [False, True, [False, True]]


def proposals(space: CandidateSpace, seeds: int = 300) -> list[Candidate]:
    candidates = (space.propose(RandomSuggest(seed)) for seed in range(seeds))
    return list({candidate.digest: candidate for candidate in candidates}.values())


def digests(candidates: Iterable[Candidate]) -> set[str]:
    return {candidate.digest for candidate in candidates}


def shares(candidate: Candidate) -> bool:
    return candidate.plan != SharingPlan.independent(candidate.plan.tasks, 2)


def small(**config: object) -> CandidateSpace:
    return space_for(Formula(tasks=("a", "b"), count=2), **config)


def test_default_has_no_component() -> None:
    for candidate in proposals(small(), 30):
        assert candidate.distillation is None
        assert not candidate.attention


@pytest.mark.parametrize(("distillation", "attention"), list(product(DISTILLATION, ATTENTION)))
@pytest.mark.parametrize("balancer", ["static", ["static", "uw"]])
def test_proposed_candidates_are_the_enumerated_ones(
    distillation: object, attention: object, balancer: object
) -> None:
    space = small(distillation=distillation, attention=attention, balancer=balancer)
    enumerated = space.enumerate()
    assert enumerated is not None
    assert space.size == len(enumerated)
    assert digests(enumerated) == digests(proposals(space))
    for candidate in enumerated:
        params = space.encode(candidate)
        assert params is not None
        assert space.propose(FixedTrial(params)) == candidate


def test_list_of_distillations_includes_none() -> None:
    candidates = proposals(small(distillation=["baseline"]))
    distillations = {candidate.distillation for candidate in candidates}
    assert distillations == {None, Distillation("baseline", 1.0)}


def test_components_require_plans_that_they_change() -> None:
    space = small(distillation="mutual", attention=True)
    hard = SharingPlan.hard(("a", "b"), 2)
    for candidate in proposals(space):
        assert candidate.attention == shares(candidate)
        assert (candidate.distillation is None) == (candidate.plan == hard)


def test_range_of_alpha_is_searched_and_not_enumerable() -> None:
    space = small(distillation=["mutual", {"kind": "baseline", "alpha": [0.01, 1.0]}])
    assert space.size is None
    assert space.enumerate() is None
    distillations = [
        candidate.distillation for candidate in proposals(space) if candidate.distillation
    ]
    alphas = {entry.alpha for entry in distillations if entry.kind == "baseline"}
    assert len(alphas) > 20
    assert all(0.01 <= alpha <= 1.0 for alpha in alphas)
    assert {entry.alpha for entry in distillations if entry.kind == "mutual"} == {1.0}
    for candidate in proposals(space, 40):
        params = space.encode(candidate)
        assert params is not None
        assert space.propose(FixedTrial(params)) == candidate


def test_component_outside_of_the_space_has_no_params() -> None:
    space = small(distillation={"kind": "baseline", "alpha": [0.1, 1.0]})
    candidate = space.propose(RandomSuggest(0))
    for distillation in (None, Distillation("mutual", 0.5), Distillation("baseline", 5.0)):
        assert space.encode(replace(candidate, distillation=distillation)) is None
    assert space.encode(replace(candidate, attention=True)) is None


def test_baselines_have_no_component() -> None:
    space = small(distillation="baseline", attention=True)
    for baseline in ("independent", "hard"):
        assert space.baseline_candidate(baseline).distillation is None
        assert not space.baseline_candidate(baseline).attention


def test_components_of_the_search_space_remain() -> None:
    class Choosy(TreeSpace):
        def propose(self, suggest: Any, units: Any, tasks: Any) -> Candidate:
            plan = SharingPlan.hard(tasks, len(units))
            return Candidate(plan, distillation=Distillation("baseline", 3.0), attention=True)

    plain = small(distillation=["mutual"])
    candidate = replace(plain, space=Choosy(plain.space.settings)).propose(RandomSuggest(0))
    assert (candidate.distillation, candidate.attention) == (Distillation("baseline", 3.0), True)


def test_size_of_a_space_with_other_plans_than_trees() -> None:
    space = replace(
        small(distillation=["baseline", "mutual"], attention=[False, True]),
        space=LayerwiseSpace(LayerwiseSettings()),
        units_of=lambda _: units(2),
    )
    assert space.size == len(proposals(space, 600))


def test_single_task_has_no_component() -> None:
    space = space_for(
        Formula(tasks=("a",), count=2), distillation=["mutual"], attention=[False, True]
    )
    (only,) = proposals(space, 30)
    assert space.size == 1
    assert (only.distillation, only.attention) == (None, False)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"distillation": "baseline", "attention": True}, SharingGPSampler),
        ({"distillation": ["baseline"]}, OptunaSampler),
        ({"attention": [False, True]}, OptunaSampler),
        ({"distillation": {"kind": "baseline", "alpha": [0.1, 1.0]}}, OptunaSampler),
    ],
)
def test_sharing_gp_requires_that_only_plans_differ(config: dict[str, Any], kind: type) -> None:
    assert isinstance(make_sampler(small(**config)), kind)


def test_search_measures_no_candidate_twice() -> None:
    formula = Formula(tasks=("a", "b"), count=2)
    space = space_for(formula, distillation=["baseline", "mutual"], attention=[False, True])
    assert space.size is not None
    outcome = search(space, formula, TrialStore.in_memory(), trials=100, seed=0)
    assert outcome.exhausted
    assert len(digests(formula.measured)) == len(formula.measured) == space.size


RUN = {
    "data": {"sources": {"kind": "scenes"}, "image_size": 32},
    "backbone": {"name": ["test_resnet", "test_vit"], "pretrained": False},
    "tasks": {"a": {"kind": "classification", "label": "scene"}},
    "search": {"space": "tree", "distillation": ["mutual", {"kind": "baseline", "alpha": 0.1}]},
}


def opened(config: RunConfig, folder: Path) -> Any:
    return open_session(
        build_registry().resolve(LoadedRun(config)),
        RunDirectory(folder),
        device=torch.device("cpu"),
        progress=NullProgress(),
    )


def test_baseline_distillation_requires_one_backbone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of the backbone test_resnet alone") as error:
        opened(RunConfig.model_validate(RUN), tmp_path)
    assert error.value.where == "search.distillation"
    assert "distillation: mutual" in str(error.value)


def test_teacher_of_another_backbone_fails_the_trial(tmp_path: Path) -> None:
    run = {
        **RUN,
        "data": {"sources": {"kind": "scenes", "train": 4, "val": 2}, "image_size": 32},
        "search": {"space": "tree"},
    }
    session = opened(RunConfig.model_validate(run), tmp_path)
    plan = SharingPlan.hard(["a"], len(session.evaluator.units("test_vit")))
    candidate = Candidate(plan, backbone="test_vit", distillation=Distillation("baseline", 1.0))
    with pytest.raises(TrainingError, match="cannot teach those of test_vit"):
        session.evaluator.measure(1, candidate, NullProgress())


def test_teacher_without_weights_fails_the_trial(tmp_path: Path) -> None:
    run = {
        **RUN,
        "data": {"sources": {"kind": "scenes", "train": 4, "val": 2}, "image_size": 32},
        "backbone": {"name": "test_resnet"},
    }
    session = opened(RunConfig.model_validate(run), tmp_path)
    candidate = Candidate(
        session.space.baseline_candidate("hard").plan, distillation=Distillation("baseline", 1.0)
    )
    evaluator = replace(session.evaluator, teacher_number=0)
    with pytest.raises(TrainingError, match="cannot teach: the file with the weights"):
        evaluator.measure(1, candidate, NullProgress())
