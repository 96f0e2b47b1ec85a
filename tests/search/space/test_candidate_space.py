"""Candidate spaces: candidates from params, and the params of a candidate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mtlsearch_search_spaces.hard import HardSpace
from mtlsearch_search_spaces.independent import IndependentSpace
from mtlsearch_search_spaces.tree import TreeSettings, TreeSpace

from mtlsearch.config import SearchConfig
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import Candidate, SearchSpace, Settings, Suggest
from mtlsearch.search import CandidateSpace
from mtlsearch.search.samplers import make_sampler
from mtlsearch.search.space._candidate_space import MAX_ENUMERATED
from mtlsearch.testing import FixedSuggest, RandomSuggest
from tests.search.synthetic import Formula, space_for, units

COMPONENTS = ({"attention": True}, {"distillation": "mutual"}, {"distillation": "baseline"})

SIZES = {"small": 3, "large": 5}
"""Units of each backbone."""

SPACES: dict[str, SearchSpace[Any]] = {
    "tree": TreeSpace(TreeSettings()),
    "tree from 1": TreeSpace(TreeSettings(first_shared=1)),
    "hard": HardSpace(Settings()),
    "independent": IndependentSpace(Settings()),
}

kinds = st.fixed_dictionaries(
    {
        "space": st.sampled_from(sorted(SPACES)),
        "tasks": st.integers(1, 4).map(lambda count: ("a", "b", "c", "d")[:count]),
        "backbones": st.sampled_from([("small",), ("small", "large")]),
        "weights": st.sampled_from(["equal", "search", "given"]),
        "rate": st.sampled_from([None, (0.001, 0.1)]),
    }
)


def make(
    space: str = "tree",
    tasks: tuple[str, ...] = ("a", "b", "c"),
    backbones: tuple[str, ...] = ("small",),
    weights: str = "equal",
    rate: tuple[float, float] | None = None,
) -> CandidateSpace:
    fixed = {task: 0.5 + index for index, task in enumerate(tasks)}
    config = {"loss_weights": fixed if weights == "given" else weights, "learning_rate": rate}
    return CandidateSpace(
        space=SPACES[space],
        config=SearchConfig.model_validate(config),
        tasks=tasks,
        backbones=backbones,
        learning_rate=0.01,
        units_of=lambda name: units(SIZES[name]),
    )


@settings(max_examples=60, deadline=None)
@given(kinds, st.integers(0, 10_000))
def test_propose_sets_all_fields(kind: dict[str, Any], seed: int) -> None:
    space = make(**kind)
    candidate = space.propose(RandomSuggest(seed))
    assert candidate.backbone in space.backbones
    assert len(candidate.plan.rows) == SIZES[candidate.backbone]
    assert candidate.loss_weights is not None
    assert tuple(candidate.loss_weights) == space.tasks
    low, high = kind["rate"] or (0.01, 0.01)
    assert candidate.learning_rate is not None
    assert low <= candidate.learning_rate <= high


@settings(max_examples=60, deadline=None)
@given(kinds, st.integers(0, 10_000))
def test_encode_inverts_propose(kind: dict[str, Any], seed: int) -> None:
    space = make(**kind)
    candidate = space.propose(RandomSuggest(seed))
    params = space.encode(candidate)
    assert params is not None
    suggest = FixedSuggest(params)
    again = space.propose(suggest)
    assert set(suggest.params) == set(params)
    assert (again.plan, again.backbone) == (candidate.plan, candidate.backbone)
    assert dict(again.loss_weights or {}) == pytest.approx(dict(candidate.loss_weights or {}))
    assert again.learning_rate == candidate.learning_rate


@settings(max_examples=60, deadline=None)
@given(kinds, st.sampled_from(["independent", "hard"]))
def test_encoded_baseline_gives_the_same_plan(kind: dict[str, Any], name: Any) -> None:
    space = make(**kind)
    baseline = space.baseline_candidate(name)
    assert str(baseline.plan) == ("hard" if len(space.tasks) == 1 else name)
    assert set((baseline.loss_weights or {}).values()) == {1.0}
    assert baseline.learning_rate == 0.01
    assert baseline.backbone == space.backbones[0]
    params = space.encode(baseline)
    if params is not None:
        again = space.propose(FixedSuggest(params))
        assert again.plan == baseline.plan
        assert dict(again.loss_weights or {}) == pytest.approx(dict(baseline.loss_weights or {}))


@pytest.mark.parametrize(
    ("kind", "candidate"),
    [
        ({"space": "hard"}, Candidate(SharingPlan.independent("abc", 3))),
        ({"space": "tree from 1"}, Candidate(SharingPlan.independent("abc", 3))),
        ({"weights": "given"}, Candidate(SharingPlan.hard("abc", 3), dict.fromkeys("abc", 1.0))),
        ({}, Candidate(SharingPlan.hard("abc", 3), learning_rate=0.5)),
        ({"rate": (0.1, 0.2)}, Candidate(SharingPlan.hard("abc", 3), learning_rate=0.5)),
        ({"rate": (0.1, 0.2)}, Candidate(SharingPlan.hard("abc", 3))),
        (
            {"weights": "search"},
            Candidate(SharingPlan.hard("abc", 3), dict.fromkeys("abc", 2.0)),
        ),
    ],
)
def test_candidate_outside_of_the_space_has_no_params(
    kind: dict[str, Any], candidate: Candidate
) -> None:
    assert make(**kind).encode(candidate) is None


def test_param_names_of_backbones_are_disjoint() -> None:
    space = make(backbones=("small", "large"))
    names_by_backbone = {}
    for seed in range(20):
        suggest = RandomSuggest(seed)
        backbone = space.propose(suggest).backbone
        names_by_backbone[backbone] = {name for name in suggest.params if name != "backbone"}
    assert set(names_by_backbone) == {"small", "large"}
    assert not names_by_backbone["small"] & names_by_backbone["large"]
    assert names_by_backbone["small"]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ({"space": "hard"}, 1),
        ({"space": "hard", "backbones": ("small", "large")}, 2),
        ({"space": "tree", "tasks": ("a", "b")}, 4),
        ({"space": "tree", "tasks": ("a", "b"), "backbones": ("small", "large")}, 10),
        ({"weights": "search"}, None),
        ({"rate": (0.1, 0.2)}, None),
    ],
)
def test_size(kind: dict[str, Any], size: int | None) -> None:
    assert make(**kind).size == size


class Opinionated(SearchSpace[Settings]):
    """Search space that sets weights and learning rate."""

    name = "opinionated"
    summary = "sets all fields"

    def propose(self, suggest: Suggest, units: Any, tasks: Any) -> Candidate:
        return Candidate(
            SharingPlan.hard(tasks, len(units)), dict.fromkeys(tasks, 3.0), learning_rate=0.7
        )


@pytest.mark.parametrize(("weights", "rate"), [("equal", None), ("search", (0.1, 0.2))])
def test_fields_of_the_search_space_remain(weights: str, rate: tuple[float, float] | None) -> None:
    plain = make(weights=weights, rate=rate)
    space = CandidateSpace(
        Opinionated(Settings()), plain.config, plain.tasks, plain.backbones, 0.01, plain.units_of
    )
    suggest = RandomSuggest(0)
    candidate = space.propose(suggest)
    assert set((candidate.loss_weights or {}).values()) == {3.0}
    assert candidate.learning_rate == 0.7
    assert not suggest.params


class Counting(TreeSpace):
    """Tree space that counts its enumerations."""

    def __init__(self) -> None:
        super().__init__(TreeSettings())
        self.num_enumerations = 0

    def candidates(self, units: Any, tasks: Any) -> Any:
        self.num_enumerations += 1
        return super().candidates(units, tasks)


def test_enumeration_is_computed_once() -> None:
    counting = Counting()
    space = replace(make(), space=counting)
    first, plans = space.enumerate(), space.enumerate_plans()
    assert counting.num_enumerations == 2
    for _ in range(3):
        make_sampler(space)
        assert space.enumerate() is first
        assert space.enumerate_plans() is plans
    assert counting.num_enumerations == 2


def test_too_large_space_is_not_enumerated() -> None:
    space = make(tasks=tuple("abcdefg"), backbones=("large",))
    assert space.size is not None
    assert space.size > MAX_ENUMERATED
    assert space.enumerate() is None
    assert space.enumerate_plans() is None


@pytest.mark.parametrize("components", COMPONENTS, ids=str)
def test_candidate_of_a_plan_has_the_fixed_components(components: dict[str, object]) -> None:
    space = space_for(Formula(), **components)
    candidates = space.enumerate()
    assert candidates
    assert [space.candidate_of(candidate.plan) for candidate in candidates] == list(candidates)
    assert any(candidate.attention or candidate.distillation for candidate in candidates)
