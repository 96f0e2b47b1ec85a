"""Complete candidates from answers, and the answers of a candidate."""

from __future__ import annotations

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
from mtlsearch.testing import FixedChoices, RandomChoices
from tests.search.synthetic import units

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
    given_ = {task: 0.5 + at for at, task in enumerate(tasks)}
    config = {"loss_weights": given_ if weights == "given" else weights, "learning_rate": rate}
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
def test_nothing_is_left_open(kind: dict[str, Any], seed: int) -> None:
    space = make(**kind)
    candidate = space.propose(RandomChoices(seed))
    assert candidate.backbone in space.backbones
    assert len(candidate.plan.rows) == SIZES[candidate.backbone]
    assert candidate.loss_weights is not None
    assert tuple(candidate.loss_weights) == space.tasks
    low, high = kind["rate"] or (0.01, 0.01)
    assert candidate.learning_rate is not None
    assert low <= candidate.learning_rate <= high


@settings(max_examples=60, deadline=None)
@given(kinds, st.integers(0, 10_000))
def test_encoding_comes_back(kind: dict[str, Any], seed: int) -> None:
    space = make(**kind)
    candidate = space.propose(RandomChoices(seed))
    params = space.encode(candidate)
    assert params is not None
    suggest = FixedChoices(params)
    again = space.propose(suggest)
    assert set(suggest.asked) == set(params)
    assert (again.plan, again.backbone) == (candidate.plan, candidate.backbone)
    assert dict(again.loss_weights or {}) == pytest.approx(dict(candidate.loss_weights or {}))
    assert again.learning_rate == candidate.learning_rate


@settings(max_examples=60, deadline=None)
@given(kinds, st.sampled_from(["independent", "hard"]))
def test_a_baseline_is_encoded_as_itself_or_not_at_all(kind: dict[str, Any], baseline: Any) -> None:
    space = make(**kind)
    baseline = space.baseline_candidate(baseline)
    assert str(baseline.plan) == ("hard" if len(space.tasks) == 1 else baseline)
    assert set((baseline.loss_weights or {}).values()) == {1.0}
    assert baseline.learning_rate == 0.01
    assert baseline.backbone == space.backbones[0]
    params = space.encode(baseline)
    if params is not None:
        again = space.propose(FixedChoices(params))
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
def test_what_it_cannot_propose_it_does_not_encode(
    kind: dict[str, Any], candidate: Candidate
) -> None:
    assert make(**kind).encode(candidate) is None


def test_units_of_one_backbone_are_not_asked_for_under_the_name_of_another() -> None:
    space = make(backbones=("small", "large"))
    asked = {}
    for seed in range(20):
        suggest = RandomChoices(seed)
        backbone = space.propose(suggest).backbone
        asked[backbone] = {name for name in suggest.asked if name != "backbone"}
    assert set(asked) == {"small", "large"}
    assert not asked["small"] & asked["large"]
    assert asked["small"]


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ({"space": "hard"}, 1),
        ({"space": "hard", "backbones": ("small", "large")}, 2),
        ({"space": "tree", "tasks": ("a", "b")}, 4),
        ({"space": "tree", "tasks": ("a", "b"), "backbones": ("small", "large")}, 10),
        ({"weights": "search"}, None),
        ({"rate": (0.1, 0.2)}, None),
    ],
)
def test_count(kind: dict[str, Any], count: int | None) -> None:
    assert make(**kind).count == count


class Opinionated(SearchSpace[Settings]):
    """Decides weights and rate itself."""

    name = "opinionated"
    summary = "decides all"

    def propose(self, suggest: Suggest, units: Any, tasks: Any) -> Candidate:
        return Candidate(
            SharingPlan.hard(tasks, len(units)), dict.fromkeys(tasks, 3.0), learning_rate=0.7
        )


@pytest.mark.parametrize(("weights", "rate"), [("equal", None), ("search", (0.1, 0.2))])
def test_what_the_space_decides_stays(weights: str, rate: tuple[float, float] | None) -> None:
    plain = make(weights=weights, rate=rate)
    space = CandidateSpace(
        Opinionated(Settings()), plain.config, plain.tasks, plain.backbones, 0.01, plain.units_of
    )
    suggest = RandomChoices(0)
    candidate = space.propose(suggest)
    assert set((candidate.loss_weights or {}).values()) == {3.0}
    assert candidate.learning_rate == 0.7
    assert not suggest.asked
