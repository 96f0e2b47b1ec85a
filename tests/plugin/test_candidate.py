"""Candidates are values; one without optional components keeps the digest of earlier versions."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mtlsearch.errors import PlanError
from mtlsearch.plan import SharingPlan
from mtlsearch.plugin import STATIC, Candidate, Distillation

PLAN = SharingPlan.from_splits(["a", "b"], [1], 3)
CANDIDATE = Candidate(PLAN, {"a": 1.75, "b": 0.25}, 3e-4, "resnet18")
STORED = (
    '{"backbone":"resnet18","learning_rate":0.0003,"loss_weights":{"a":1.75,"b":0.25},'
    '"plan":{"rows":[[0,0],[0,1],[0,1]],"tasks":["a","b"]}}'
)
"""The JSON form from before candidates had a balancer."""


def round_trip(candidate: Candidate) -> Candidate:
    """Write and read a candidate."""
    return Candidate.from_json(json.loads(json.dumps(candidate.to_json())))


def test_candidate_without_components_keeps_its_digest() -> None:
    text = json.dumps(CANDIDATE.to_json(), sort_keys=True, separators=(",", ":"))
    assert text == STORED
    assert CANDIDATE.digest == "932f29ccdc9a"


def test_digest_of_a_changed_copy_is_its_own() -> None:
    """A candidate keeps its digest once it is computed, and a copy must not."""
    digest = CANDIDATE.digest
    changed = replace(CANDIDATE, attention=True)
    assert changed.digest != digest
    assert replace(changed, attention=False).digest == digest
    assert round_trip(CANDIDATE).digest == digest


def test_stored_candidate_is_read() -> None:
    assert Candidate.from_json(json.loads(STORED)) == CANDIDATE
    assert CANDIDATE.balancer == STATIC


def test_balancer_changes_the_digest_and_is_stored() -> None:
    other = CANDIDATE.with_defaults(
        loss_weights={"a": 1.0, "b": 1.0}, learning_rate=1.0, backbone="x", balancer="uw"
    )
    assert other.balancer == "uw"
    assert other.loss_weights == CANDIDATE.loss_weights
    assert other.digest != CANDIDATE.digest
    assert round_trip(other) == other


def test_balancer_of_the_space_is_kept() -> None:
    chosen = Candidate(PLAN, balancer="cagrad").with_defaults(
        loss_weights={"a": 1.0, "b": 1.0}, learning_rate=1.0, backbone="x", balancer="uw"
    )
    assert chosen.balancer == "cagrad"


def test_optional_components_change_the_digest() -> None:
    distilled = Candidate(PLAN, distillation=Distillation("baseline", 0.1))
    candidates = [
        Candidate(PLAN),
        distilled,
        replace(distilled, distillation=Distillation("baseline", 0.2)),
        replace(distilled, distillation=Distillation("mutual", 0.1)),
        replace(distilled, attention=True),
        Candidate(PLAN, attention=True),
    ]
    assert len({candidate.digest for candidate in candidates}) == len(candidates)
    for candidate in candidates:
        assert round_trip(candidate) == candidate
        assert round_trip(candidate).digest == candidate.digest


def test_equal_numbers_give_equal_digests() -> None:
    whole = Candidate(PLAN, {"b": 1, "a": 2}, 1)
    fractional = Candidate(PLAN, {"a": 2.0, "b": 1.0}, 1.0)
    assert whole == fractional
    assert whole.digest == fractional.digest == round_trip(whole).digest


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"distillation": {"kind": "magic", "alpha": 1.0}}, "`distillation.kind` .* got 'magic'"),
        ({"loss_weights": [1.0]}, "`loss_weights` must be a mapping"),
        ({"learning_rate": "fast"}, "`learning_rate` .* number"),
        ({"plan": {"tasks": ["a"]}}, "not a sharing plan"),
    ],
)
def test_invalid_candidate_is_a_plan_error(change: dict[str, object], reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        Candidate.from_json({**json.loads(STORED), **change})


@pytest.mark.parametrize("value", [{}, [1], None, "text"])
def test_value_without_a_plan_is_a_plan_error(value: object) -> None:
    with pytest.raises(PlanError):
        Candidate.from_json(value)
