"""Knowledge and attention are two more things that are proposed."""

from __future__ import annotations

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
from mtlsearch.search.samplers._factory import make_sampler
from mtlsearch.search.samplers._gp_sampler import GPSampler
from mtlsearch.search.samplers._optuna import OptunaSampler
from mtlsearch.study import RunDirectory, TrialStore
from mtlsearch.testing import RandomSuggest
from tests.search.synthetic import Formula, space_for, units

KNOWLEDGE: list[Any] = [
    "none",
    "baseline",
    {"kind": "mutual", "alpha": 0.5},
    ["mutual"],
    ["baseline", {"kind": "mutual", "alpha": 0.5}],
]
ATTENTION: list[Any] = [False, True, [False, True]]


def proposals(space: CandidateSpace, seeds: int = 300) -> list[Candidate]:
    found = {at.digest: at for at in (space.propose(RandomSuggest(s)) for s in range(seeds))}
    return list(found.values())


def shares(candidate: Candidate) -> bool:
    return candidate.plan != SharingPlan.independent(candidate.plan.tasks, 2)


def small(**config: object) -> CandidateSpace:
    return space_for(Formula(tasks=("a", "b"), count=2), **config)


def test_by_default_there_is_neither() -> None:
    for candidate in proposals(small(), 30):
        assert candidate.distillation is None
        assert not candidate.attention


@pytest.mark.parametrize(("distillation", "attention"), list(product(KNOWLEDGE, ATTENTION)))
@pytest.mark.parametrize("balancer", ["static", ["static", "uw"]])
def test_what_is_proposed_is_what_is_listed_and_counted(
    distillation: object, attention: object, balancer: object
) -> None:
    space = small(distillation=distillation, attention=attention, balancer=balancer)
    listed = space.listed()
    assert listed is not None
    assert space.count == len(listed)
    assert {at.digest for at in listed} == {at.digest for at in proposals(space)}
    for candidate in listed:
        params = space.encode(candidate)
        assert params is not None
        assert space.propose(FixedTrial(params)) == candidate


def test_a_list_always_has_none() -> None:
    found = proposals(small(distillation=["baseline"]))
    assert {at.distillation for at in found} == {None, Distillation("baseline", 1.0)}


def test_gates_are_for_plans_that_share_and_mutual_for_those_that_part() -> None:
    space = small(distillation="mutual", attention=True)
    hard = SharingPlan.hard(("a", "b"), 2)
    for candidate in proposals(space):
        assert candidate.attention == shares(candidate)
        assert (candidate.distillation is None) == (candidate.plan == hard)


def test_an_alpha_in_a_range_is_searched_and_cannot_be_counted() -> None:
    space = small(distillation=["mutual", {"kind": "baseline", "alpha": [0.01, 1.0]}])
    assert space.count is None
    assert space.listed() is None
    found = [at.distillation for at in proposals(space) if at.distillation is not None]
    alphas = {at.alpha for at in found if at.kind == "baseline"}
    assert len(alphas) > 20
    assert all(0.01 <= alpha <= 1.0 for alpha in alphas)
    assert {at.alpha for at in found if at.kind == "mutual"} == {1.0}
    for candidate in proposals(space, 40):
        params = space.encode(candidate)
        assert params is not None
        assert space.propose(FixedTrial(params)) == candidate


def test_what_the_run_does_not_offer_has_no_answers() -> None:
    space = small(distillation={"kind": "baseline", "alpha": [0.1, 1.0]})
    candidate = space.propose(RandomSuggest(0))
    for distillation in (None, Distillation("mutual", 0.5), Distillation("baseline", 5.0)):
        assert space.encode(replace(candidate, distillation=distillation)) is None
    assert space.encode(replace(candidate, attention=True)) is None


def test_baselines_have_neither() -> None:
    space = small(distillation="baseline", attention=True)
    for baseline in ("independent", "hard"):
        assert space.baseline_candidate(baseline).distillation is None
        assert not space.baseline_candidate(baseline).attention


def test_what_a_space_chooses_stays() -> None:
    class Choosy(TreeSpace):
        def propose(self, suggest: Any, units: Any, tasks: Any) -> Candidate:
            plan = SharingPlan.hard(tasks, len(units))
            return Candidate(plan, distillation=Distillation("baseline", 3.0), attention=True)

    plain = small(distillation=["mutual"])
    found = replace(plain, space=Choosy(plain.space.settings)).propose(RandomSuggest(0))
    assert (found.distillation, found.attention) == (Distillation("baseline", 3.0), True)


def test_plans_that_are_no_trees_are_counted_as_well() -> None:
    space = replace(
        small(distillation=["baseline", "mutual"], attention=[False, True]),
        space=LayerwiseSpace(LayerwiseSettings()),
        units_of=lambda _: units(2),
    )
    assert space.count == len(proposals(space, 600))


def test_one_task_has_nobody_to_learn_from() -> None:
    space = space_for(
        Formula(tasks=("a",), count=2), distillation=["mutual"], attention=[False, True]
    )
    (only,) = proposals(space, 30)
    assert space.count == 1
    assert (only.distillation, only.attention) == (None, False)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"distillation": "baseline", "attention": True}, GPSampler),
        ({"distillation": ["baseline"]}, OptunaSampler),
        ({"attention": [False, True]}, OptunaSampler),
        ({"distillation": {"kind": "baseline", "alpha": [0.1, 1.0]}}, OptunaSampler),
    ],
)
def test_plans_are_ranked_where_they_alone_differ(config: dict[str, Any], kind: type) -> None:
    assert isinstance(make_sampler(small(**config)), kind)


def test_a_search_over_both_measures_no_candidate_twice() -> None:
    formula = Formula(tasks=("a", "b"), count=2)
    space = space_for(formula, distillation=["baseline", "mutual"], attention=[False, True])
    assert space.count is not None
    outcome = search(space, formula, TrialStore.in_memory(), trials=100, seed=0)
    assert outcome.exhausted
    assert len({at.digest for at in formula.measured}) == len(formula.measured) == space.count


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


def test_one_backbones_features_cannot_teach_another(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of the backbone test_resnet alone") as error:
        opened(RunConfig.model_validate(RUN), tmp_path)
    assert error.value.where == "search.distillation"
    assert "distillation: mutual" in str(error.value)


def test_a_space_that_asks_for_it_with_another_backbone_gets_a_failed_trial(tmp_path: Path) -> None:
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


def test_what_is_not_trained_yet_cannot_teach(tmp_path: Path) -> None:
    run = {
        **RUN,
        "data": {"sources": {"kind": "scenes", "train": 4, "val": 2}, "image_size": 32},
        "backbone": {"name": "test_resnet"},
    }
    session = opened(RunConfig.model_validate(run), tmp_path)
    candidate = Candidate(
        session.space.baseline_candidate("hard").plan, distillation=Distillation("baseline", 1.0)
    )
    taught = replace(session.evaluator, teacher_number=0)
    with pytest.raises(TrainingError, match="the independent baseline cannot teach: there are no"):
        taught.measure(1, candidate, NullProgress())
