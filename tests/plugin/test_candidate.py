"""Candidates are values, and those of before there was a choice of balance keep their digest."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mtlsearch.errors import PlanError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import STATIC, Candidate, Distillation

PLAN = SharingPlan.from_splits(["a", "b"], [1], 3)
CANDIDATE = Candidate(PLAN, {"a": 1.75, "b": 0.25}, 3e-4, "resnet18")
BEFORE = (
    '{"backbone":"resnet18","learning_rate":0.0003,"loss_weights":{"a":1.75,"b":0.25},'
    '"plan":{"rows":[[0,0],[0,1],[0,1]],"tasks":["a","b"]}}'
)
"""What was written before candidates had a balance."""


def test_static_candidates_are_written_as_before() -> None:
    text = json.dumps(CANDIDATE.to_json(), sort_keys=True, separators=(",", ":"))
    assert text == BEFORE
    assert CANDIDATE.digest == "932f29ccdc9a"


def test_what_was_written_before_is_read() -> None:
    assert Candidate.from_json(json.loads(BEFORE)) == CANDIDATE
    assert CANDIDATE.balancer == STATIC


def test_a_balance_makes_another_candidate_and_comes_back() -> None:
    other = CANDIDATE.with_defaults(
        loss_weights={"a": 1.0, "b": 1.0}, learning_rate=1.0, backbone="x", balancer="uw"
    )
    assert other.balancer == "uw"
    assert other.loss_weights == CANDIDATE.loss_weights
    assert other.digest != CANDIDATE.digest
    assert Candidate.from_json(json.loads(json.dumps(other.to_json()))) == other


def test_a_space_may_choose_the_balance_itself() -> None:
    chosen = Candidate(PLAN, balancer="cagrad").with_defaults(
        loss_weights={"a": 1.0, "b": 1.0}, learning_rate=1.0, backbone="x", balancer="uw"
    )
    assert chosen.balancer == "cagrad"


def test_knowledge_and_attention_make_other_candidates_and_come_back() -> None:
    taught = Candidate(PLAN, distillation=Distillation("baseline", 0.1))
    others = [
        Candidate(PLAN),
        taught,
        replace(taught, distillation=Distillation("baseline", 0.2)),
        replace(taught, distillation=Distillation("mutual", 0.1)),
        replace(taught, attention=True),
        Candidate(PLAN, attention=True),
    ]
    assert len({at.digest for at in others}) == len(others)
    for candidate in others:
        assert Candidate.from_json(json.loads(json.dumps(candidate.to_json()))) == candidate


def test_knowledge_of_another_kind_cannot_be_read() -> None:
    with pytest.raises(PlanError, match="no knowledge of the kind 'magic'"):
        Distillation.from_json({"kind": "magic", "alpha": 1.0})
